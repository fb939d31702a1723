// Dense matrices on the host: the fused sketching pass, products, gathers.
#include <algorithm>
#include <optional>
#include <vector>

#include "host/column_sweep.hpp"
#include "host/dense.hpp"
#include "host/isa.hpp"
#include "host/source.hpp"
#include "host/tile_sweep.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

/// out = keep out + scale times rows [p0, ...) of A, transposed, times a real slab, for columns of complex
/// entries: real and imaginary parts become columns of their own, a few at a time, as they are rows of
/// their own in `out`.
template <class T, class R = real_t<T>>
void add_product_of_parts(Host& ex, const DenseSource<T>& A, index p0, R scale, MatrixView<R> slab,
                          R keep, MatrixView<R> out) {
    constexpr index width = 256;
    const index rows = slab.rows;
    Buffer<R, Host> memory(ex, rows * 2 * std::min(width, A.cols));
    for (index j0 = 0; j0 < A.cols; j0 += width) {
        const index count = std::min(width, A.cols - j0);
        const auto parts = memory.matrix(rows, 2 * count);
        parallel_for(
            ex, count,
            [&](index j) {
                const T* from = A.data + (j0 + j) * A.ld + p0;
                for (index r = 0; r < rows; ++r) {
                    parts(r, 2 * j) = std::real(from[r]);
                    parts(r, 2 * j + 1) = std::imag(from[r]);
                }
            },
            rows);
        gemm<R>(ex, Op::Trans, Op::None, scale, parts, slab, keep,
                out.row_range(2 * j0, 2 * count));
    }
}

/// Y (+)= (S A)^T for rows [p0, p0 + rows) of A; `memory` holds that slab of S^T. Overwrites Y at p0 = 0.
template <class T>
void slab_product(Host& ex, const DenseSource<T>& A, index p0, index rows, const SketchOperator& S,
                  real_t<T>* memory, MatrixView<T> Y) {
    using R = real_t<T>;
    const auto scale = static_cast<R>(S.isometry_scale());
    const R keep = p0 == 0 ? R(0) : R(1);
    constexpr index comp = is_complex<T> ? 2 : 1;  // complex rows are real rows of twice the length
    const MatrixView<R> slab(memory, rows, S.size);
    fill_transposed<R>(ex, S, 0, p0, slab);
    const MatrixView<R> out(reinterpret_cast<R*>(Y.data), Y.rows * comp, Y.cols, Y.ld * comp);
    const auto stored = A.stored();
    const auto* data = reinterpret_cast<const R*>(stored.data);
    if (is_complex<T> && !A.by_rows) return add_product_of_parts(ex, A, p0, scale, slab, keep, out);
    if (A.by_rows)
        gemm<R>(ex, Op::None, Op::None, scale,
                In<R>(data + p0 * A.ld * comp, A.cols * comp, rows, A.ld * comp), slab, keep, out);
    else
        gemm<R>(ex, Op::Trans, Op::None, scale, In<R>(data + p0, rows, A.cols, A.ld), slab, keep,
                out);
}

/// Walsh-Hadamard transform of signed columns, a few at a time, keeping the sampled rows.
template <class T>
void hadamard_sketch(Host& ex, const DenseSource<T>& A, const SketchOperator& S, MatrixView<T> Y) {
    using R = real_t<T>;
    constexpr index comp = is_complex<T> ? 2 : 1;
    const auto order = static_cast<index>(hadamard_order(static_cast<std::uint64_t>(A.rows)));
    const index scalars = A.cols * comp;
    const index width = order <= 16384 ? tile_cols<R> : 64 / static_cast<index>(sizeof(R));
    std::vector<R> signs(static_cast<std::size_t>(A.rows));
    parallel_for(ex, A.rows, [&](index p) {
        signs[static_cast<std::size_t>(p)] =
            static_cast<R>(hadamard_sign(S.id, static_cast<std::uint64_t>(p)));
    });
    std::vector<index> kept(static_cast<std::size_t>(S.size));
    for (index i = 0; i < S.size; ++i)
        kept[static_cast<std::size_t>(i)] = static_cast<index>(
            permuted(S.id, static_cast<std::uint64_t>(order), static_cast<std::uint64_t>(i)));
    const auto scale = static_cast<R>(S.isometry_scale());
    const auto* data = reinterpret_cast<const R*>(A.data);
    auto* out = reinterpret_cast<R*>(Y.data);
    const index row_step = (A.by_rows ? A.ld : 1) * comp, col_step = A.by_rows ? 1 : A.ld;
    ex.for_each_task((scalars + width - 1) / width, [&](index strip) {
        const index c0 = strip * width, w = std::min(width, scalars - c0);
        Buffer<R, Host> work(ex, order * w);
        R* x = work.data();
        for (index r = 0; r < A.rows; ++r)
            for (index c = 0; c < w; ++c) {
                const index entry = (c0 + c) / comp, part = (c0 + c) % comp;
                x[r * w + c] = signs[static_cast<std::size_t>(r)] *
                               data[r * row_step + entry * col_step * comp + part];
            }
        std::fill(x + A.rows * w, x + order * w, R(0));
        isa_kernels<R>().hadamard(x, order, w);
        for (index i = 0; i < S.size; ++i)
            for (index c = 0; c < w; ++c)
                out[i * Y.ld * comp + c0 + c] =
                    scale * x[kept[static_cast<std::size_t>(i)] * w + c];
    });
}

template <class T>
void zero(MatrixView<T> Y) {
    for (index j = 0; j < Y.cols; ++j) std::fill(Y.col(j), Y.col(j) + Y.rows, T(0));
}

}  // namespace

template <class T>
void sketch_pass(Host& ex, const DenseSource<T>& A, const SketchPass<T>& pass) {
    using R = real_t<T>;
    constexpr index comp = is_complex<T> ? 2 : 1;
    const bool sketching = pass.Y.cols > 0, probing = pass.P.cols > 0;
    if (pass.norms2) std::fill(pass.norms2, pass.norms2 + A.cols, 0.0);
    if (A.rows == 0 || A.cols == 0) {
        zero(pass.Y);
        zero(pass.P);
        return;
    }
    const bool sparse = sketching && pass.sketch.kind == SketchKind::SparseSign;
    if constexpr (!is_complex<T>)
        if (sparse && !probing && (!A.by_rows || (A.cols == 1 && A.ld == 1))) {
            ColumnSweep<T>{A.data,       A.rows,      A.cols,    A.ld,
                           &pass.sketch, pass.Y.data, pass.Y.ld, pass.norms2}
                .run(ex);
            return;
        }
    const bool slabs = sketching && (pass.sketch.kind == SketchKind::Gaussian ||
                                     pass.sketch.kind == SketchKind::Rademacher);
    if (sketching && pass.sketch.kind == SketchKind::Hadamard)
        hadamard_sketch(ex, A, pass.sketch, pass.Y);

    // Rows per round: bounded by the slab of S that is held, 4 MiB, and by the interrupt latency.
    const index held = std::max<index>(pass.sketch.size * static_cast<index>(slabs), 1);
    index round = std::max<index>(1024, (index{4} << 20) / (held * static_cast<index>(sizeof(R))));
    round = slabs ? (round + tile_rows - 1) / tile_rows * tile_rows
                  : std::max<index>(tile_rows, (index{1} << 31) / A.cols / tile_rows * tile_rows);
    Buffer<R, Host> slab(ex, slabs ? std::min(round, A.rows) * held : 0);

    TileSweep<R> sweep = sweep_of(A);
    std::vector<double> squares(static_cast<std::size_t>(pass.norms2 ? sweep.scalars : 0), 0.0);
    sweep.norms2 = pass.norms2 ? squares.data() : nullptr;
    const bool sweeping = sparse || probing || pass.norms2;
    std::optional<BucketLists> lists;
    if (sparse) {
        sweep.lists = &lists.emplace(ex, pass.sketch);
        sweep.Y = reinterpret_cast<R*>(pass.Y.data);
        sweep.sketch_size = pass.Y.cols;
        sweep.ldy = pass.Y.ld * comp;
        sweep.scale_y = static_cast<R>(pass.sketch.isometry_scale());
    }
    if (probing) {
        sweep.P = reinterpret_cast<R*>(pass.P.data);
        sweep.wanted_probes = pass.P.cols;
        sweep.probes = (pass.P.cols + 3) / 4 * 4;
        sweep.ldp = pass.P.ld * comp;
        sweep.scale_p = static_cast<R>(pass.probe.isometry_scale());
    }
    for (index p0 = 0; p0 < A.rows; p0 += round) {
        const index rows = std::min(round, A.rows - p0);
        if (sweeping) {
            const auto panel =
                probing ? probe_panel<R>(ex, pass.probe, p0, rows, sweep.probes) : std::vector<R>{};
            sweep.G = panel.data();
            sweep.row0 = p0;
            sweep.rows = rows;
            sweep.accumulate = p0 > 0;
            sweep.run(ex);
        }
        if (slabs) slab_product(ex, A, p0, rows, pass.sketch, slab.data(), pass.Y);
        ex.poll();
    }
    for (index c = 0; pass.norms2 && c < sweep.scalars; ++c)
        pass.norms2[c / comp] += squares[static_cast<std::size_t>(c)];
}

template <class T>
void apply(Host& ex, const DenseSource<T>& A, In<T> X, MatrixView<T> Y) {
    gemm<T>(ex, A.by_rows ? Op::Trans : Op::None, Op::None, T(1), A.stored(), X, T(0), Y);
}

/// Y = A^T X for few columns X as a sweep over tiles. GEMM would copy all of A to multiply it by little.
template <class T>
void narrow_product(Host& ex, const DenseSource<T>& A, In<T> X, MatrixView<T> Y) {
    TileSweep<T> sweep = sweep_of(A);
    sweep.P = Y.data;
    sweep.ldp = Y.ld;
    sweep.wanted_probes = X.cols;
    sweep.probes = (X.cols + 3) / 4 * 4;
    // Rows per round: a panel of X that stays in the cache.
    const index round =
        std::max<index>(8 * tile_rows, (index{1} << 19) / sweep.probes / tile_rows * tile_rows);
    Buffer<T, Host> panel(ex, std::min(round, A.rows) * sweep.probes);
    sweep.G = panel.data();
    for (index p0 = 0; p0 < A.rows; p0 += round) {
        sweep.row0 = p0;
        sweep.rows = std::min(round, A.rows - p0);
        sweep.accumulate = p0 > 0;
        parallel_for(
            ex, sweep.rows,
            [&](index r) {
                T* row = panel.data() + r * sweep.probes;
                for (index c = 0; c < X.cols; ++c) row[c] = X(p0 + r, c);
                std::fill(row + X.cols, row + sweep.probes, T(0));
            },
            X.cols);
        sweep.run(ex);
        ex.poll();
    }
}

template <class T>
void apply_transpose(Host& ex, const DenseSource<T>& A, In<T> X, MatrixView<T> Y) {
    if constexpr (!is_complex<T>) {
        constexpr index narrow = 128;  // up to here the sweep was seen to be the faster one
        if (X.cols <= narrow && A.rows > 0 && A.cols > 0) return narrow_product(ex, A, X, Y);
    }
    gemm<T>(ex, A.by_rows ? Op::None : Op::Trans, Op::None, T(1), A.stored(), X, T(0), Y);
}

template <class T>
void gather_columns(Host& ex, const DenseSource<T>& A, const index* J, MatrixView<T> C) {
    if (!A.by_rows) {
        ex.for_each_task(C.cols,
                         [&](index j) { std::copy_n(A.data + J[j] * A.ld, A.rows, C.col(j)); });
        return;
    }
    constexpr index block = 32;  // rows gathered one after the other, then written by columns
    const index pieces = std::min<index>((A.rows + block - 1) / block, 16 * ex.threads());
    ex.for_each_task(pieces, [&](index t) {
        std::vector<T> rows(static_cast<std::size_t>(block * C.cols));
        const index end = A.rows * (t + 1) / pieces;
        for (index i0 = A.rows * t / pieces; i0 < end; i0 += block) {
            const index count = std::min(block, end - i0);
            for (index i = 0; i < count; ++i) {
                const T* from = A.data + (i0 + i) * A.ld;
                T* to = rows.data() + i * C.cols;
                for (index j = 0; j < C.cols; ++j) to[j] = from[J[j]];
            }
            for (index j = 0; j < C.cols; ++j)
                for (index i = 0; i < count; ++i)
                    C(i0 + i, j) = rows[static_cast<std::size_t>(i * C.cols + j)];
        }
    });
}

#define SUBSPAN_INSTANTIATE(T)                                                            \
    template void sketch_pass<T>(Host&, const DenseSource<T>&, const SketchPass<T>&);     \
    template void apply<T>(Host&, const DenseSource<T>&, In<T>, MatrixView<T>);           \
    template void apply_transpose<T>(Host&, const DenseSource<T>&, In<T>, MatrixView<T>); \
    template void gather_columns<T>(Host&, const DenseSource<T>&, const index*, MatrixView<T>);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
