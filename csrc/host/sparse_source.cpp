// Compressed sparse columns and operators on the host.
#include <algorithm>
#include <vector>

#include "host/dense.hpp"
#include "host/isa.hpp"
#include "host/source.hpp"
#include "host/sparse_sign.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

/// Y(j, :) = row(j), for a functor row(j, sum) that adds to `sum`, all zero and `room` wide: blocks of
/// columns of A, so that the rows of Y, whose entries lie far apart, are written several at a time.
template <class T, class F>
void for_sketched_columns(Host& ex, index cols, index room, MatrixView<T> Y, const F& row) {
    constexpr index block = 64 / static_cast<index>(sizeof(T)) * 2;
    const index pieces = std::min<index>((cols + block - 1) / block, 16 * ex.threads());
    ex.for_each_task(pieces, [&](index t) {
        Buffer<T, Host> memory(ex, block * room);
        T* sums = memory.data();
        const index end = cols * (t + 1) / pieces;
        for (index j0 = cols * t / pieces; j0 < end; j0 += block) {
            const index count = std::min(block, end - j0);
            std::fill(sums, sums + block * room, T(0));
            for (index j = 0; j < count; ++j) row(j0 + j, sums + j * room);
            for (index i = 0; i < Y.cols; ++i)
                for (index j = 0; j < count; ++j) Y(j0 + j, i) = sums[j * room + i];
        }
    });
}

/// sum = sum_e values[e] table[rows[e]], rows of `width` entries; tile_cols of them in vector registers.
template <class T>
void combine_rows(const T* values, const index* rows, index count, const T* table, index width,
                  T* sum) {
    if constexpr (!is_complex<T>)
        if (width == tile_cols<T>)
            return isa_kernels<T>().combine_rows(values, rows, count, table, sum);
    for (index e = 0; e < count; ++e) {
        const T* row = table + rows[e] * width;
        const T a = values[e];
        for (index i = 0; i < width; ++i) sum[i] += row[i] * a;
    }
}

/// Y = A^T X for X held by rows: table[p * width + i] = X(p, i), real or of A's type.
template <class T, class V>
void multiply_by_rows(Host& ex, const SparseSource<T>& A, const V* table, MatrixView<T> Y) {
    const index width = Y.cols;
    for_sketched_columns(ex, A.cols, Y.cols, Y, [&](index j, T* sum) {
        for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
            const V* row = table + A.row_indices[e] * width;
            const T a = A.values[e];
            for (index i = 0; i < width; ++i) sum[i] += row[i] * a;
        }
    });
}

/// Entries of rows [i0, i0 + width) of S, stored by columns of S so that a nonzero of A reads one
/// contiguous run. i0 is a multiple of 16.
template <class R>
std::vector<R> entries_by_column(Host& ex, const SketchOperator& S, index i0, index width) {
    std::vector<R> table(static_cast<std::size_t>(S.dim * width));
    constexpr index chunk = 16384;
    Buffer<R, Host> memory(ex, std::min(chunk, S.dim) * width);
    for (index p0 = 0; p0 < S.dim; p0 += chunk) {
        const index count = std::min(chunk, S.dim - p0);
        const auto rows = memory.matrix(count, width);
        fill_transposed<R>(ex, S, i0, p0, rows, S.isometry_scale());
        parallel_for(
            ex, count,
            [&](index p) {
                for (index i = 0; i < width; ++i)
                    table[static_cast<std::size_t>((p0 + p) * width + i)] = rows(p, i);
            },
            width);
    }
    return table;
}

template <class T>
void dense_kind_sketch(Host& ex, const SparseSource<T>& A, const SketchOperator& S,
                       MatrixView<T> Y) {
    constexpr index block = 32;  // rows of S held at a time: O(32 m) memory
    for (index i0 = 0; i0 < S.size; i0 += block) {
        const index width = std::min(block, S.size - i0);
        const auto table = entries_by_column<real_t<T>>(ex, S, i0, width);
        multiply_by_rows(ex, A, table.data(), Y.columns(i0, width));
        ex.poll();
    }
}

template <class T>
void sparse_sign_sketch(Host& ex, const SparseSource<T>& A, const SketchOperator& S,
                        MatrixView<T> Y) {
    constexpr index chunk = 4096;
    std::vector<SignedRow> table(static_cast<std::size_t>(S.dim * S.nnz));
    ex.for_each_task((S.dim + chunk - 1) / chunk, [&](index t) {
        const auto part = sparse_sign_columns(S, t * chunk, std::min(chunk, S.dim - t * chunk));
        std::copy(part.begin(), part.end(), table.begin() + t * chunk * S.nnz);
    });
    const auto scale = static_cast<real_t<T>>(S.isometry_scale());
    for_sketched_columns(ex, A.cols, Y.cols, Y, [&](index j, T* sum) {
        for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
            const T a = scale * A.values[e],
                    signed_a[2] = {a, -a};  // indexed: a branch would be a coin toss
            const SignedRow* target = table.data() + A.row_indices[e] * S.nnz;
            for (int g = 0; g < S.nnz; ++g) sum[target[g].row()] += signed_a[target[g].negative()];
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

/// Y = A^T X, a strip of columns of X at a time, copied so that a row is contiguous: tile_cols of them,
/// padded with zeros, or as many as there are where padding would more than double the copy.
template <class T>
void apply_transpose(Host& ex, const SparseSource<T>& A, In<T> X, MatrixView<T> Y) {
    constexpr index strip = tile_cols<T>;
    const auto padded = [&](index columns) { return 2 * columns < strip ? columns : strip; };
    Buffer<T, Host> memory(ex, A.rows * padded(std::min(strip, X.cols)));
    T* table = memory.data();
    for (index c0 = 0; c0 < X.cols; c0 += strip) {
        const index width = std::min(strip, X.cols - c0), room = padded(width);
        parallel_for(
            ex, A.rows,
            [&](index p) {
                T* row = table + p * room;
                for (index c = 0; c < width; ++c) row[c] = X(p, c0 + c);
                std::fill(row + width, row + room, T(0));
            },
            room);
        for_sketched_columns(ex, A.cols, room, Y.columns(c0, width), [&](index j, T* sum) {
            const index first = A.starts[j], count = A.starts[j + 1] - first;
            combine_rows(A.values + first, A.row_indices + first, count, table, room, sum);
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
    if (A.sketch) return A.sketch(pass);
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

/// A[:, J], as a product with unit vectors if A has no shorter way.
template <class T>
void gather_columns(Host& ex, const OperatorSource<T>& A, const index* J, MatrixView<T> C) {
    if (A.gather) return A.gather(J, C);
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
