// Compressed sparse columns and operators on the host.
#include <algorithm>
#include <vector>

#include "host/dense.hpp"
#include "host/source.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

/// Tasks of about equal numbers of columns; sparse columns are short, so many per task.
template <class F>
void for_column_ranges(Host& ex, index cols, const F& body) {
    const index pieces = std::min<index>(cols, 16 * ex.threads());
    ex.for_each_task(pieces, [&](index t) { body(cols * t / pieces, cols * (t + 1) / pieces); });
}

/// Y += (S A)^T for a block of the rows of S whose entries are held as table[p * width + i].
template <class T>
void add_dense_rows(Host& ex, const SparseSource<T>& A, const real_t<T>* table, index width,
                    MatrixView<T> Y) {
    for_column_ranges(ex, A.cols, [&](index j0, index j1) {
        std::vector<T> sum(static_cast<std::size_t>(width));
        for (index j = j0; j < j1; ++j) {
            std::fill(sum.begin(), sum.end(), T(0));
            for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
                const real_t<T>* row = table + A.row_indices[e] * width;
                const T a = A.values[e];
                for (index i = 0; i < width; ++i) sum[static_cast<std::size_t>(i)] += row[i] * a;
            }
            for (index i = 0; i < width; ++i) Y(j, i) = sum[static_cast<std::size_t>(i)];
        }
    });
}

/// Entries of rows [i0, i0 + width) of S, stored by columns of S so that a nonzero of A reads one
/// contiguous run.
template <class R>
std::vector<R> entries_by_column(Host& ex, const SketchOperator& S, index i0, index width) {
    std::vector<R> table(static_cast<std::size_t>(S.dim * width));
    const auto scale = static_cast<R>(S.isometry_scale());
    constexpr index chunk = 4096;
    ex.for_each_task((S.dim + chunk - 1) / chunk, [&](index t) {
        const index p0 = t * chunk, p1 = std::min(S.dim, p0 + chunk);
        for (index i = 0; i < width; ++i)
            for (index p = p0; p < p1; ++p)
                table[static_cast<std::size_t>(p * width + i)] =
                    scale * static_cast<R>(sketch_entry(S, static_cast<std::uint64_t>(i0 + i),
                                                        static_cast<std::uint64_t>(p)));
    });
    return table;
}

template <class T>
void dense_kind_sketch(Host& ex, const SparseSource<T>& A, const SketchOperator& S,
                       MatrixView<T> Y) {
    constexpr index block = 32;  // rows of S held at a time: O(32 m) memory
    for (index i0 = 0; i0 < S.size; i0 += block) {
        const index width = std::min(block, S.size - i0);
        const auto table = entries_by_column<real_t<T>>(ex, S, i0, width);
        add_dense_rows(ex, A, table.data(), width, Y.columns(i0, width));
        ex.poll();
    }
}

template <class T>
void sparse_sign_sketch(Host& ex, const SparseSource<T>& A, const SketchOperator& S,
                        MatrixView<T> Y) {
    const auto nnz = static_cast<std::uint32_t>(S.nnz);
    std::vector<std::uint32_t> table(static_cast<std::size_t>(S.dim * S.nnz));  // row << 1 | sign
    parallel_for(ex, S.dim, [&](index p) {
        for (std::uint32_t g = 0; g < nnz; ++g) {
            const Words4 x =
                words_at(S.id, Stream::SparseSign, g, static_cast<std::uint64_t>(p) / 4);
            const SignedRow s =
                sparse_sign_nonzero(x.w[p % 4], static_cast<std::uint64_t>(S.size), nnz, g);
            table[static_cast<std::size_t>(p * S.nnz) + g] = s.row << 1 | s.negative;
        }
    });
    const auto scale = static_cast<real_t<T>>(S.isometry_scale());
    for_column_ranges(ex, A.cols, [&](index j0, index j1) {
        std::vector<T> sum(static_cast<std::size_t>(S.size));
        for (index j = j0; j < j1; ++j) {
            std::fill(sum.begin(), sum.end(), T(0));
            for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
                const T a = A.values[e], minus = -a;
                const std::uint32_t* target = table.data() + A.row_indices[e] * S.nnz;
                for (int g = 0; g < S.nnz; ++g) sum[target[g] >> 1] += target[g] & 1u ? minus : a;
            }
            for (index i = 0; i < S.size; ++i) Y(j, i) = scale * sum[static_cast<std::size_t>(i)];
        }
    });
}

}  // namespace

template <class T>
void sketch_pass(Host& ex, const SparseSource<T>& A, const SketchPass<T>& pass) {
    if (pass.Y.cols > 0) {
        if (pass.sketch.kind == SketchKind::SparseSign)
            sparse_sign_sketch(ex, A, pass.sketch, pass.Y);
        else
            dense_kind_sketch(ex, A, pass.sketch, pass.Y);
        ex.poll();
    }
    if (pass.P.cols > 0) dense_kind_sketch(ex, A, pass.probe, pass.P);
    if (pass.norms2 != nullptr)
        parallel_for(ex, A.cols, [&](index j) {
            double sum = 0;
            for (index e = A.starts[j]; e < A.starts[j + 1]; ++e)
                sum += static_cast<double>(std::norm(A.values[e]));
            pass.norms2[j] = sum;
        });
}

template <class T>
void apply(Host& ex, const SparseSource<T>& A, In<T> X, MatrixView<T> Y) {
    ex.for_each_task(X.cols, [&](index c) {
        T* y = Y.col(c);
        std::fill(y, y + A.rows, T(0));
        for (index j = 0; j < A.cols; ++j)
            for (index e = A.starts[j]; e < A.starts[j + 1]; ++e)
                y[A.row_indices[e]] += A.values[e] * X(j, c);
    });
}

template <class T>
void apply_transpose(Host& ex, const SparseSource<T>& A, In<T> X, MatrixView<T> Y) {
    constexpr index block = 32;  // columns of X at a time, copied so that a row is contiguous
    for (index c0 = 0; c0 < X.cols; c0 += block) {
        const index width = std::min(block, X.cols - c0);
        std::vector<T> rows(static_cast<std::size_t>(A.rows * width));
        parallel_for(ex, A.rows, [&](index p) {
            for (index c = 0; c < width; ++c)
                rows[static_cast<std::size_t>(p * width + c)] = X(p, c0 + c);
        });
        for_column_ranges(ex, A.cols, [&](index j0, index j1) {
            std::vector<T> sum(static_cast<std::size_t>(width));
            for (index j = j0; j < j1; ++j) {
                std::fill(sum.begin(), sum.end(), T(0));
                for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
                    const T* x = rows.data() + A.row_indices[e] * width;
                    for (index c = 0; c < width; ++c)
                        sum[static_cast<std::size_t>(c)] += x[c] * A.values[e];
                }
                for (index c = 0; c < width; ++c) Y(j, c0 + c) = sum[static_cast<std::size_t>(c)];
            }
        });
        ex.poll();
    }
}

template <class T>
void gather_columns(Host& ex, const SparseSource<T>& A, const index* J, MatrixView<T> C) {
    ex.for_each_task(C.cols, [&](index c) {
        std::fill(C.col(c), C.col(c) + A.rows, T(0));
        for (index e = A.starts[J[c]]; e < A.starts[J[c] + 1]; ++e)
            C(A.row_indices[e], c) += A.values[e];
    });
}

// An operator is asked for products with slabs of S^T, 64 columns at a time: O(64 m) memory.
template <class T>
void sketch_pass(Host& ex, const OperatorSource<T>& A, const SketchPass<T>& pass) {
    constexpr index block = 64;
    require(pass.norms2 == nullptr,
            "A is an operator: its column norms are not available; choose pivoting='lupp', 'cpqr', "
            "'leverage', 'deim' or 'arp', which need products only");
    Buffer<T, Host> all(ex, A.rows * std::max(pass.Y.cols, pass.P.cols));
    const auto product = [&](const SketchOperator& S, MatrixView<T> Y) {
        const auto columns = all.matrix(A.rows, S.size);
        fill_transposed<T>(ex, S, 0, 0, columns, S.isometry_scale());
        for (index i0 = 0; i0 < S.size; i0 += block) {
            const index width = std::min(block, S.size - i0);
            A.multiply_transpose(columns.columns(i0, width), Y.columns(i0, width));
            ex.poll();
        }
    };
    if (pass.Y.cols > 0) product(pass.sketch, pass.Y);
    if (pass.P.cols > 0) product(pass.probe, pass.P);
}

/// A[:, J] as a product with unit vectors.
template <class T>
void gather_columns(Host& ex, const OperatorSource<T>& A, const index* J, MatrixView<T> C) {
    constexpr index block = 64;
    Buffer<T, Host> unit(ex, A.cols * std::min(block, C.cols));
    for (index c0 = 0; c0 < C.cols; c0 += block) {
        const index width = std::min(block, C.cols - c0);
        const auto X = unit.matrix(A.cols, width);
        std::fill(X.data, X.data + A.cols * width, T(0));
        for (index c = 0; c < width; ++c) X(J[c0 + c], c) = T(1);
        A.multiply(X, C.columns(c0, width));
        ex.poll();
    }
}

#define SUBSPAN_INSTANTIATE(T)                                                                   \
    template void sketch_pass<T>(Host&, const SparseSource<T>&, const SketchPass<T>&);           \
    template void apply<T>(Host&, const SparseSource<T>&, In<T>, MatrixView<T>);                 \
    template void apply_transpose<T>(Host&, const SparseSource<T>&, In<T>, MatrixView<T>);       \
    template void gather_columns<T>(Host&, const SparseSource<T>&, const index*, MatrixView<T>); \
    template void sketch_pass<T>(Host&, const OperatorSource<T>&, const SketchPass<T>&);         \
    template void gather_columns<T>(Host&, const OperatorSource<T>&, const index*, MatrixView<T>);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
