// Nystrom approximation of a positive semidefinite A from Y = A X: A ~ Y (X^H Y)^-1 Y^H, made stable by
// a shift (Tropp, Yurtsever, Udell, Cevher, NeurIPS 2017, Alg. 3; Frangella, Tropp, Udell, 2021):
//
//   nu = eps ||Y||_F / ||X||;  Y_nu = Y + nu X;  R^H R = X^H Y_nu;  F = Y_nu R^-1 = V s W^H;
//   A ~ V diag(max(s^2 - nu, 0)) V^H.
//
// X is the test matrix itself, one reading of A in all, or an orthonormal basis of its image under
// powers of A, one reading more for each.
#pragma once

#include "subspan/eigenpairs.hpp"

namespace subspan {

/// out = Y + shift X.
template <class T>
struct ShiftEntry {
    MatrixView<const T> Y, X;
    real_t<T> shift;
    MatrixView<T> out;
    SUBSPAN_HD void operator()(index i, index j) const { out(i, j) = Y(i, j) + shift * X(i, j); }
};

namespace detail {

/// The test matrix X and Y = A X.
template <class T, class E>
void nystrom_products(E& ex, const BothWays<T>& A, const RangeOptions& options, MatrixView<T> X,
                      MatrixView<T> Y, Range<T, E>& range) {
    const SketchOperator S = resized(options.sketch, X.cols);
    test_products(ex, A, S, options, Y, range);
    if (options.power_iterations == 0)
        return fill_transposed<T>(ex, S, 0, 0, X, S.isometry_scale());
    Buffer<T, E> factor(ex, X.cols * X.cols);
    for (int step = 0; step < options.power_iterations; ++step) {
        ex.poll();
        copy<E, T>(ex, Y, X);
        if (step + 1 < options.power_iterations)
            condition<E, T>(ex, X);
        else
            orthonormalize<E, T>(ex, X, factor.matrix(X.cols, X.cols));
        multiply(ex, A, X, Y);
        ++range.passes;
    }
}

/// F with F F^H = Y H^-1 Y^H, in the place of Y, where H = X^H Y is not safely definite: from the
/// eigenvalues above rounding. Returns how many there are.
template <class T, class E>
index truncated_factor(E& ex, MatrixView<T> H, MatrixView<T> Y) {
    const index l = H.cols;
    Buffer<real_t<T>, E> device(ex, l);
    eigh<T>(ex, H, device.data());
    const auto values = fetch(ex, device.data(), l);
    const auto value = [&](index j) {
        return static_cast<double>(values[static_cast<std::size_t>(j)]);
    };
    require_semidefinite(value(0), value(l - 1), clearly_wrong<T>());
    const double floor = static_cast<double>(l) * eps<T> * value(l - 1);
    index first = 0;
    while (first < l && value(first) <= floor) ++first;
    const index kept = l - first;
    std::vector<T> inverse;
    for (index j = first; j < l; ++j)
        inverse.push_back(T(static_cast<real_t<T>>(1 / std::sqrt(value(j)))));
    const auto scale = upload<T>(ex, inverse);
    const auto W = H.columns(first, kept);
    for_each_entry(ex, l, kept, ScaleColumnEntry<T>{W, scale.data(), false});
    Buffer<T, E> product(ex, Y.rows * kept);
    gemm<T>(ex, Op::None, Op::None, T(1), Y, W, T(0), product.matrix(Y.rows, kept));
    copy<E, T>(ex, product.matrix(Y.rows, kept), Y.columns(0, kept));
    return kept;
}

/// F in the place of Y; the shift that made it possible goes to `shift`. Returns the columns of F.
template <class T, class E>
index nystrom_factor(E& ex, MatrixView<T> X, MatrixView<T> Y, double norm_X, double& shift) {
    constexpr int attempts = 7;
    const index l = X.cols;
    Buffer<T, E> product(ex, l * l), hermitian(ex, l * l), inner(ex, l * l), factor(ex, l * l);
    Buffer<index, E> info(ex, 1);
    const auto G = hermitian.matrix(l, l), XX = inner.matrix(l, l), R = factor.matrix(l, l);
    gemm<T>(ex, Op::ConjTrans, Op::None, T(1), X, Y, T(0), product.matrix(l, l));
    hermitian_part(ex, product.matrix(l, l), G);
    gram<T>(ex, X, XX);
    shift = eps<T> * std::sqrt(squared_norm(ex, Y)) / norm_X;
    for (int attempt = 0; attempt < attempts; ++attempt, shift *= 10) {
        const auto nu = static_cast<real_t<T>>(shift);
        for_each_entry(ex, l, R.cols, ShiftEntry<T>{G, XX, nu, R});
        cholesky<T>(ex, R, info.data());
        if (fetch(ex, info.data(), 1)[0] != 0) continue;
        for_each_entry(ex, l, R.cols, UpperTriangleEntry<T>{R});
        for_each_entry(ex, Y.rows, Y.cols, ShiftEntry<T>{Y, X, nu, Y});
        trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R, Y);
        return l;
    }
    shift = 0;
    return truncated_factor(ex, G, Y);
}

}  // namespace detail

/// The k leading eigenpairs of the Nystrom approximation from `options.size` test vectors.
template <class T, class E>
Eigenpairs<T, E> nystrom_pairs(E& ex, const BothWays<T>& A, const RangeOptions& options, index k) {
    Eigenpairs<T, E> out;
    const index n = out.rows = out.range.rows = out.range.cols = A.A.rows, l = options.size;
    Buffer<T, E> test(ex, n * l), image(ex, n * l);
    const auto X = test.matrix(n, l), Y = image.matrix(n, l);
    detail::nystrom_products(ex, A, options, X, Y, out.range);
    const double norm_X = options.power_iterations > 0
                              ? 1.0
                              : std::sqrt(static_cast<double>(n) / static_cast<double>(l));
    const index columns = detail::nystrom_factor(ex, X, Y, norm_X, out.shift);
    const auto F = Y.columns(0, columns);
    const auto small = svd_of_projection<T>(ex, F);  // F = P U diag(s) Vh, P in the place of F
    for (const real_t<T> s : fetch(ex, small.s.data(), columns))
        out.values.push_back(
            std::max(static_cast<double>(s) * static_cast<double>(s) - out.shift, 0.0));
    const index kept = std::min(k, columns);
    out.values.resize(static_cast<std::size_t>(kept));
    out.memory = Buffer<T, E>(ex, n * kept);
    gemm<T>(ex, Op::None, Op::None, T(1), F, small.U.matrix(columns, columns).columns(0, kept),
            T(0), out.V());
    fix_signs(ex, out.V());
    return out;
}

}  // namespace subspan
