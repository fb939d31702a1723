// Slabs of sketch operators and their adjoint, on the host.
#include <algorithm>
#include <vector>

#include "host/dense.hpp"
#include "host/isa.hpp"
#include "host/source.hpp"
#include "host/sparse_sign.hpp"

namespace subspan {
namespace {

template <class R>
void fill_dense(const SketchOperator& S, index i0, index p0, MatrixView<R> out) {
    p0 += S.first;
    if constexpr (std::is_same_v<R, float>)
        rng_kernels().fill_float(S, i0, out.cols, p0, out.rows, out.data, out.ld);
    else
        rng_kernels().fill_double(S, i0, out.cols, p0, out.rows, out.data, out.ld);
}

template <class R>
void fill_sparse(const SketchOperator& S, index i0, index p0, MatrixView<R> out, R scale) {
    for (index i = 0; i < out.cols; ++i) std::fill_n(out.col(i), out.rows, R(0));
    const auto nonzeros = sparse_sign_columns(S, p0, out.rows);
    for (index r = 0; r < out.rows; ++r)
        for (int g = 0; g < S.nnz; ++g) {
            const SignedRow s = nonzeros[static_cast<std::size_t>(r * S.nnz + g)];
            const index i = static_cast<index>(s.row()) - i0;
            if (i >= 0 && i < out.cols) out(r, i) = s.negative() ? -scale : scale;
        }
}

template <class R>
void fill_real(Host& ex, const SketchOperator& S, index i0, index p0, MatrixView<R> out, R scale) {
    if (S.kind == SketchKind::SparseSign) return fill_sparse(S, i0, p0, out, scale);
    constexpr index group = 16;  // rows of S per task: the height of a Rademacher tile
    ex.for_each_task((out.cols + group - 1) / group, [&](index t) {
        const auto part = out.columns(t * group, std::min(group, out.cols - t * group));
        const index first = i0 + t * group;
        if (S.kind == SketchKind::Hadamard) {
            for (index i = 0; i < part.cols; ++i)
                for (index r = 0; r < part.rows; ++r)
                    part(r, i) =
                        static_cast<R>(sketch_entry(S, static_cast<std::uint64_t>(first + i),
                                                    static_cast<std::uint64_t>(p0 + r)));
        } else {
            fill_dense(S, first, p0, part);
        }
        if (scale == R(1)) return;
        for (index i = 0; i < part.cols; ++i)
            for (index r = 0; r < part.rows; ++r) part(r, i) *= scale;
    });
}

template <class T>
void sparse_adjoint(Host& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    constexpr index chunk = 4096;
    const auto scale = static_cast<real_t<T>>(S.isometry_scale());
    ex.for_each_task((S.dim + chunk - 1) / chunk, [&](index t) {
        const index p0 = t * chunk, count = std::min(chunk, S.dim - p0);
        const auto nonzeros = sparse_sign_columns(S, p0, count);
        for (index c = 0; c < X.cols; ++c) {
            const T* x = X.col(c);
            T* y = Y.col(c) + p0;
            for (index r = 0; r < count; ++r) {
                T sum(0);
                for (int g = 0; g < S.nnz; ++g) {
                    const SignedRow s = nonzeros[static_cast<std::size_t>(r * S.nnz + g)];
                    const T value = x[s.row()], signed_value[2] = {value, -value};
                    sum += signed_value[s.negative()];
                }
                y[r] = scale * sum;
            }
        }
    });
}

/// scale D H R^T X: scatter to the sampled rows, transform, sign. H is symmetric.
template <class T>
void hadamard_adjoint(Host& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    using R = real_t<T>;
    constexpr index comp = is_complex<T> ? 2 : 1;
    const auto order = hadamard_order(static_cast<std::uint64_t>(S.dim));
    const auto scale = static_cast<R>(S.isometry_scale());
    ex.for_each_task(X.cols, [&](index c) {
        std::vector<T> x(static_cast<std::size_t>(order), T(0));
        for (index i = 0; i < S.size; ++i)
            x[permuted(S.id, order, static_cast<std::uint64_t>(i))] = X(i, c);
        isa_kernels<R>().hadamard(reinterpret_cast<R*>(x.data()), static_cast<index>(order), comp);
        for (index p = 0; p < S.dim; ++p)
            Y(p, c) = scale * static_cast<R>(hadamard_sign(S.id, static_cast<std::uint64_t>(p))) *
                      x[static_cast<std::size_t>(p)];
    });
}

}  // namespace

template <class T>
void fill_transposed(Host& ex, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale) {
    using R = real_t<T>;
    if (out.rows == 0 || out.cols == 0) return;
    if constexpr (is_complex<T>) {
        Buffer<R, Host> real(ex, out.rows * out.cols);
        const auto values = real.matrix(out.rows, out.cols);
        fill_real<R>(ex, S, i0, p0, values, static_cast<R>(scale));
        for (index i = 0; i < out.cols; ++i)
            for (index r = 0; r < out.rows; ++r) out(r, i) = values(r, i);
    } else {
        fill_real<T>(ex, S, i0, p0, out, static_cast<T>(scale));
    }
}

template <class T>
void apply_adjoint_sketch(Host& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    if (S.kind == SketchKind::SparseSign) return sparse_adjoint<T>(ex, S, X, Y);
    if (S.kind == SketchKind::Hadamard) return hadamard_adjoint<T>(ex, S, X, Y);
    const index round = std::max<index>(256, (index{1} << 19) / std::max<index>(S.size, 1));
    Buffer<T, Host> slab(ex, std::min(round, S.dim) * S.size);
    for (index p0 = 0; p0 < S.dim; p0 += round) {
        const index rows = std::min(round, S.dim - p0);
        fill_transposed<T>(ex, S, 0, p0, slab.matrix(rows, S.size));
        gemm<T>(ex, Op::None, Op::None, static_cast<T>(static_cast<real_t<T>>(S.isometry_scale())),
                slab.matrix(rows, S.size), X, T(0), Y.row_range(p0, rows));
        ex.poll();
    }
}

#define SUBSPAN_INSTANTIATE(T)                                                                  \
    template void fill_transposed<T>(Host&, const SketchOperator&, index, index, MatrixView<T>, \
                                     double);                                                   \
    template void apply_adjoint_sketch<T>(Host&, const SketchOperator&, In<T>, MatrixView<T>);
SUBSPAN_INSTANTIATE(float)
SUBSPAN_INSTANTIATE(double)
SUBSPAN_INSTANTIATE(std::complex<float>)
SUBSPAN_INSTANTIATE(std::complex<double>)
#undef SUBSPAN_INSTANTIATE

}  // namespace subspan
