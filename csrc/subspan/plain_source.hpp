// The questions of source.hpp answered in verbs and index functors alone: what a device does until it
// has kernels of its own. Written over any executor, so that the fake device runs them on the host.
#pragma once

#include <algorithm>
#include <vector>

#include "subspan/dense.hpp"
#include "subspan/error.hpp"
#include "subspan/psd_source.hpp"
#include "subspan/sketch_kernels.hpp"

namespace subspan::plain {

template <class T, class E>
void zero(E& ex, MatrixView<T> Y) {
    for_each_entry(ex, Y.rows, Y.cols, ZeroEntry<T>{Y});
}

template <class T>
real_t<T> isometry(const SketchOperator& S) {
    return static_cast<real_t<T>>(S.isometry_scale());
}

// --- operators -----------------------------------------------------------------------------------

template <class T, class E>
void fill_transposed(E& ex, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale) {
    for_each_entry(ex, out.rows, out.cols,
                   SketchTileEntry<T>{S, i0, p0, static_cast<real_t<T>>(scale), out});
}

/// Entries of S held at a time: 32 MiB of float64, which stays in the cache of a large GPU.
inline constexpr index slab_entries = index{1} << 22;

/// Rows of S^T to hold at a time.
inline index slab_rows(const SketchOperator& S) {
    return std::min(S.dim, std::max<index>(256, slab_entries / std::max<index>(S.size, 1)));
}

template <class T, class E>
void apply_adjoint_sketch(E& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    if (S.kind == SketchKind::SparseSign) {
        for_each_entry(ex, Y.rows, Y.cols, SparseSignAdjointEntry<T>{S, X, isometry<T>(S), Y});
        return;
    }
    const index round = slab_rows(S);
    Buffer<T, E> memory(ex, round * S.size);
    for (index p0 = 0; p0 < S.dim; p0 += round) {
        const auto slab = memory.matrix(std::min(round, S.dim - p0), S.size);
        plain::fill_transposed<T>(ex, S, 0, p0, slab, 1);
        gemm<T>(ex, Op::None, Op::None, T(isometry<T>(S)), slab, X, T(0),
                Y.row_range(p0, slab.rows));
        ex.poll();
    }
}

// --- dense ---------------------------------------------------------------------------------------

/// Y = (S A)^T, a slab of S^T at a time.
template <class T, class E>
void sketch_by_slabs(E& ex, const DenseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    const index round = slab_rows(S);
    Buffer<T, E> memory(ex, round * S.size);
    for (index p0 = 0; p0 < A.rows; p0 += round) {
        const auto slab = memory.matrix(std::min(round, A.rows - p0), S.size);
        plain::fill_transposed<T>(ex, S, 0, p0, slab, 1);
        const In<T> stored = A.stored();
        const In<T> part =
            A.by_rows ? stored.columns(p0, slab.rows) : stored.row_range(p0, slab.rows);
        gemm<T>(ex, A.by_rows ? Op::None : Op::Trans, Op::None, T(isometry<T>(S)), part, slab,
                T(p0 == 0 ? 0 : 1), Y);
        ex.poll();
    }
}

/// The nonzeros of a sparse-sign operator by rows, as GatherSketchEntry reads them.
struct SketchRows {
    std::vector<index> starts, nonzeros;

    /// Counting sort: within a row, positions ascend.
    explicit SketchRows(const SketchOperator& S)
        : starts(static_cast<std::size_t>(S.size + 1), 0),
          nonzeros(static_cast<std::size_t>(S.dim * S.nnz)) {
        std::vector<SignedRow> found(nonzeros.size());
        for (index p = 0; p < S.dim; ++p)
            for (int g = 0; g < S.nnz; ++g) {
                const SignedRow s = sparse_sign_at(S, static_cast<std::uint32_t>(g), p);
                found[static_cast<std::size_t>(p * S.nnz + g)] = s;
                ++starts[s.row() + 1];
            }
        for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
        std::vector<index> at(starts);
        for (std::size_t e = 0; e < found.size(); ++e) {
            const auto p = static_cast<index>(e) / S.nnz;
            nonzeros[static_cast<std::size_t>(at[found[e].row()]++)] =
                2 * p + (found[e].negative() ? 1 : 0);
        }
    }
};

template <class T, class E>
void sketch_by_gathering(E& ex, const DenseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    const SketchRows rows(S);
    const auto starts = upload<index>(ex, rows.starts), nonzeros = upload<index>(ex, rows.nonzeros);
    for_each_entry(ex, Y.rows, Y.cols,
                   GatherSketchEntry<T>{A, starts.data(), nonzeros.data(), isometry<T>(S), Y});
}

/// Y = (S A)^T for S = scale R H D, some columns of A at a time.
template <class T, class E>
void sketch_by_transform(E& ex, const DenseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    const auto order = static_cast<index>(hadamard_order(static_cast<std::uint64_t>(A.rows)));
    const index width = std::min(A.cols, std::max<index>(1, 4 * slab_entries / order));
    Buffer<T, E> memory(ex, order * width);
    for (index j0 = 0; j0 < A.cols; j0 += width) {
        const auto X = memory.matrix(order, std::min(width, A.cols - j0));
        for_each_entry(ex, order, X.cols, SignedColumnsEntry<T>{A, S.id, j0, X});
        for (index distance = 1; distance < order; distance *= 2)
            for_each_entry(ex, order / 2, X.cols, ButterflyEntry<T>{X, distance});
        const auto some = Y.row_range(j0, X.cols);
        for_each_entry(ex, some.rows, some.cols, SampleRowEntry<T>{X, S.id, isometry<T>(S), some});
        ex.poll();
    }
}

template <class T, class E>
void sketch_dense(E& ex, const DenseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    if (Y.cols == 0) return;
    if (A.rows == 0 || A.cols == 0) return zero(ex, Y);
    switch (S.kind) {
        case SketchKind::SparseSign:
            return sketch_by_gathering(ex, A, S, Y);
        case SketchKind::Hadamard:
            return sketch_by_transform(ex, A, S, Y);
        default:
            return sketch_by_slabs(ex, A, S, Y);
    }
}

template <class T, class E>
void sketch_pass(E& ex, const DenseSource<T>& A, const SketchPass<T>& pass) {
    sketch_dense(ex, A, pass.sketch, pass.Y);
    sketch_dense(ex, A, pass.probe, pass.P);
    if (pass.norms2 == nullptr) return;
    if (A.by_rows)
        parallel_for(ex, A.cols, RowNorm<T>{A.stored(), pass.norms2}, A.rows);
    else
        parallel_for(ex, A.cols, ColumnNorm<T>{A.stored(), pass.norms2}, A.rows);
}

template <class T, class E>
void apply(E& ex, const DenseSource<T>& A, In<T> X, MatrixView<T> Y) {
    gemm<T>(ex, A.by_rows ? Op::Trans : Op::None, Op::None, T(1), A.stored(), X, T(0), Y);
}

template <class T, class E>
void apply_transpose(E& ex, const DenseSource<T>& A, In<T> X, MatrixView<T> Y) {
    gemm<T>(ex, A.by_rows ? Op::None : Op::Trans, Op::None, T(1), A.stored(), X, T(0), Y);
}

template <class T, class E>
void gather_columns(E& ex, const DenseSource<T>& A, const index* J, MatrixView<T> C) {
    if (A.by_rows)
        for_each_entry(ex, C.rows, C.cols, GatherTransposedEntry<T>{A.stored(), C, J});
    else
        for_each_entry(ex, C.rows, C.cols, GatherColumnEntry<T>{A.stored(), C, J});
}

// --- sparse --------------------------------------------------------------------------------------

template <class T, class E>
void apply_transpose(E& ex, const SparseSource<T>& A, In<T> X, MatrixView<T> Y) {
    for_each_entry(ex, Y.rows, Y.cols, SparseTransposeEntry<T>{A, X, Y});
}

template <class T, class E>
void sketch_sparse(E& ex, const SparseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    if (Y.cols == 0) return;
    if (S.kind == SketchKind::SparseSign) {
        zero(ex, Y);
        parallel_for(ex, A.cols, SparseSignColumn<T>{A, S, isometry<T>(S), Y});
        return;
    }
    constexpr index block = 32;  // rows of S held at a time
    Buffer<T, E> memory(ex, A.rows * std::min(block, S.size));
    for (index i0 = 0; i0 < S.size; i0 += block) {
        const auto rows = memory.matrix(A.rows, std::min(block, S.size - i0));
        plain::fill_transposed<T>(ex, S, i0, 0, rows, S.isometry_scale());
        plain::apply_transpose<T>(ex, A, rows, Y.columns(i0, rows.cols));
        ex.poll();
    }
}

template <class T, class E>
void sketch_pass(E& ex, const SparseSource<T>& A, const SketchPass<T>& pass) {
    sketch_sparse(ex, A, pass.sketch, pass.Y);
    sketch_sparse(ex, A, pass.probe, pass.P);
    if (pass.norms2 != nullptr) parallel_for(ex, A.cols, SparseColumnNorm<T>{A, pass.norms2});
}

/// The nonzeros of compressed columns by rows.
struct CompressedRows {
    std::vector<index> starts, positions, columns;

    CompressedRows(index rows, const std::vector<index>& column_starts,
                   const std::vector<index>& row_indices)
        : starts(static_cast<std::size_t>(rows + 1), 0),
          positions(row_indices.size()),
          columns(row_indices.size()) {
        for (const index i : row_indices) ++starts[static_cast<std::size_t>(i + 1)];
        for (std::size_t i = 1; i < starts.size(); ++i) starts[i] += starts[i - 1];
        std::vector<index> at(starts);
        for (std::size_t j = 0; j + 1 < column_starts.size(); ++j)
            for (index e = column_starts[j]; e < column_starts[j + 1]; ++e) {
                const auto row = static_cast<std::size_t>(row_indices[static_cast<std::size_t>(e)]);
                const auto to = static_cast<std::size_t>(at[row]++);
                positions[to] = e;
                columns[to] = static_cast<index>(j);
            }
    }
};

/// Y = A X. The pattern of A visits the host to be sorted by rows: compressed columns would have to be
/// scattered, with sums in an order that changes from run to run. Algorithms that have A both ways take
/// the transpose of the other way instead.
template <class T, class E>
void apply(E& ex, const SparseSource<T>& A, In<T> X, MatrixView<T> Y) {
    const auto column_starts = fetch(ex, A.starts, A.cols + 1);
    const CompressedRows rows(A.rows, column_starts,
                              fetch(ex, A.row_indices, column_starts.back()));
    const auto starts = upload<index>(ex, rows.starts),
               positions = upload<index>(ex, rows.positions),
               columns = upload<index>(ex, rows.columns);
    for_each_entry(ex, Y.rows, Y.cols,
                   SparseProductEntry<T>{A, starts.data(), positions.data(), columns.data(), X, Y});
}

template <class T, class E>
void gather_columns(E& ex, const SparseSource<T>& A, const index* J, MatrixView<T> C) {
    zero(ex, C);
    parallel_for(ex, C.cols, SparseGatherColumn<T>{A, J, C});
}

// --- operators of the caller: their arrays are in host memory ------------------------------------

/// A matrix in host memory that stands for one on the executor.
template <class T, class E>
class HostCopy {
  public:
    HostCopy(E& ex, MatrixView<T> device)
        : ex_(ex), device_(device), memory_(static_cast<std::size_t>(device.rows * device.cols)) {}
    MatrixView<T> view() { return {memory_.data(), device_.rows, device_.cols}; }

    void read() {
        if (memory_.empty()) return;
        const auto packed = this->packed();
        for_each_entry(ex_, device_.rows, device_.cols,
                       CopyEntry<T>{device_, packed.matrix(device_.rows, device_.cols)});
        memory_ = fetch(ex_, packed.data(), packed.size());
    }
    void write() {
        if (memory_.empty()) return;
        const auto packed = upload<T>(ex_, memory_);
        for_each_entry(ex_, device_.rows, device_.cols,
                       CopyEntry<T>{packed.matrix(device_.rows, device_.cols), device_});
    }

  private:
    Buffer<T, E> packed() { return Buffer<T, E>(ex_, device_.rows * device_.cols); }

    E& ex_;
    MatrixView<T> device_;
    std::vector<T> memory_;
};

/// Y = function(X) for a function of host matrices.
template <class T, class E, class F>
void on_host(E& ex, const F& function, MatrixView<T> X, MatrixView<T> Y) {
    HostCopy<T, E> x(ex, X), y(ex, Y);
    x.read();
    function(x.view(), y.view());
    y.write();
}

template <class T, class E>
void apply(E& ex, const OperatorSource<T>& A, MatrixView<T> X, MatrixView<T> Y) {
    on_host(ex, A.multiply, X, Y);
}

template <class T, class E>
void apply_transpose(E& ex, const OperatorSource<T>& A, MatrixView<T> X, MatrixView<T> Y) {
    on_host(ex, A.multiply_transpose, X, Y);
}

/// Y = (S A)^T by products with some columns of S^T at a time.
template <class T, class E>
void sketch_by_products(E& ex, const OperatorSource<T>& A, const SketchOperator& S,
                        MatrixView<T> Y) {
    constexpr index block = 64;
    Buffer<T, E> memory(ex, A.rows * std::min(block, Y.cols));
    for (index i0 = 0; i0 < Y.cols; i0 += block) {
        const auto X = memory.matrix(A.rows, std::min(block, Y.cols - i0));
        plain::fill_transposed<T>(ex, S, i0, 0, X, S.isometry_scale());
        plain::apply_transpose(ex, A, X, Y.columns(i0, X.cols));
        ex.poll();
    }
}

template <class T, class E>
void sketch_pass(E& ex, const OperatorSource<T>& A, const SketchPass<T>& pass) {
    if (!A.sketch) {
        require(pass.norms2 == nullptr,
                "A is an operator: its column norms are not available; choose pivoting='lupp', "
                "'cpqr', 'leverage', 'deim' or 'arp', which need products only");
        sketch_by_products(ex, A, pass.sketch, pass.Y);
        sketch_by_products(ex, A, pass.probe, pass.P);
        return;
    }
    HostCopy<T, E> Y(ex, pass.Y), P(ex, pass.P);
    std::vector<double> norms2(static_cast<std::size_t>(pass.norms2 != nullptr ? A.cols : 0));
    A.sketch({pass.sketch, Y.view(), pass.probe, P.view(),
              pass.norms2 != nullptr ? norms2.data() : nullptr});
    Y.write();
    P.write();
    if (!norms2.empty())
        ex.copy_to_device(pass.norms2, norms2.data(), norms2.size() * sizeof(double));
}

/// A[:, J], as products with unit vectors if A has no shorter way.
template <class T, class E>
void gather_columns(E& ex, const OperatorSource<T>& A, const index* J, MatrixView<T> C) {
    const auto wanted = fetch(ex, J, C.cols);
    constexpr index block = 64;
    const index step = A.gather ? std::max<index>(C.cols, 1) : block;
    for (index c0 = 0; c0 < C.cols; c0 += step) {
        const index width = std::min(step, C.cols - c0);
        HostCopy<T, E> columns(ex, C.columns(c0, width));
        if (A.gather) {
            A.gather(wanted.data(), columns.view());
        } else {
            std::vector<T> unit(static_cast<std::size_t>(A.cols * width), T(0));
            for (index c = 0; c < width; ++c)
                unit[static_cast<std::size_t>(wanted[static_cast<std::size_t>(c0 + c)] +
                                              c * A.cols)] = T(1);
            A.multiply(MatrixView<T>(unit.data(), A.cols, width), columns.view());
        }
        columns.write();
        ex.poll();
    }
}

template <class T, class E>
void gather_entries(E& ex, const EntryOracle<T>& K, const index* I, const index* J,
                    MatrixView<T> B) {
    const auto rows = I != nullptr ? fetch(ex, I, B.rows) : std::vector<index>{};
    const auto columns = fetch(ex, J, B.cols);
    HostCopy<T, E> entries(ex, B);
    K.entries(I != nullptr ? rows.data() : nullptr, columns.data(), entries.view());
    entries.write();
}

}  // namespace subspan::plain

namespace subspan {

/// An executor without ways of its own.
template <class E>
concept PlainSources = E::plain_sources;

template <class S, class T>
concept ConcreteSource = !std::is_same_v<S, AnySource<T>>;

template <class T, PlainSources E, ConcreteSource<T> S>
void sketch_pass(E& ex, const S& A, const SketchPass<T>& pass) {
    plain::sketch_pass<T>(ex, A, pass);
}
template <class T, PlainSources E, ConcreteSource<T> S>
void apply(E& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    plain::apply<T>(ex, A, X, Y);
}
template <class T, PlainSources E, ConcreteSource<T> S>
void apply_transpose(E& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    plain::apply_transpose<T>(ex, A, X, Y);
}
template <class T, PlainSources E, ConcreteSource<T> S>
void gather_columns(E& ex, const S& A, const index* J, MatrixView<T> C) {
    plain::gather_columns<T>(ex, A, J, C);
}
template <class T, PlainSources E>
void gather_entries(E& ex, const EntryOracle<T>& K, const index* I, const index* J,
                    MatrixView<T> B) {
    plain::gather_entries<T>(ex, K, I, J, B);
}
template <class T, PlainSources E>
void fill_transposed(E& ex, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale = 1) {
    plain::fill_transposed<T>(ex, S, i0, p0, out, scale);
}
template <class T, PlainSources E>
void apply_adjoint_sketch(E& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    plain::apply_adjoint_sketch<T>(ex, S, X, Y);
}

}  // namespace subspan
