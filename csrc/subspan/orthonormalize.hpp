// Orthonormal bases of tall matrices and the triangular solves that follow them.
//
// Cholesky-QR does all its work in GEMM-rate calls but squares the condition number; applied twice
// it is as good as Householder for cond(A) < 1/sqrt(eps) (Yamamoto et al., ETNA 2015). Failure is
// detected and Householder takes over.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "subspan/dense.hpp"
#include "subspan/kernels.hpp"

namespace subspan {

template <class T>
inline constexpr double eps = static_cast<double>(std::numeric_limits<real_t<T>>::epsilon());

/// |diag(A)| on the host.
template <class E, class T>
std::vector<double> abs_diagonal(E& ex, MatrixView<T> A) {
    const index n = std::min(A.rows, A.cols);
    Buffer<double, E> squares(ex, n);
    parallel_for(ex, n, DiagonalSquare<T>{A, squares.data()});
    std::vector<double> diagonal = fetch(ex, squares.data(), n);
    for (double& d : diagonal) d = std::sqrt(d);
    return diagonal;
}

template <class E, class T>
void copy(E& ex, In<T> from, MatrixView<T> to) {
    for_each_entry(ex, to.rows, to.cols, CopyEntry<T>{from, to});
}

/// R^H R = A^H A; false if that is not safely positive definite. `spread` is the largest ratio of
/// diagonal entries of R that is accepted.
template <class E, class T>
bool cholesky_factor(E& ex, MatrixView<T> A, MatrixView<T> R, double spread) {
    Buffer<index, E> info(ex, 1);
    gram<T>(ex, A, R);
    cholesky<T>(ex, R, info.data());
    if (fetch(ex, info.data(), 1)[0] != 0) return false;
    const auto diagonal = abs_diagonal(ex, R);
    const auto [low, high] = std::minmax_element(diagonal.begin(), diagonal.end());
    if (!(*high <= spread * *low)) return false;  // also catches NaN
    for_each_entry(ex, R.rows, R.cols, UpperTriangleEntry<T>{R});
    return true;
}

/// A = Q R by one Cholesky-QR, in place; false, and A untouched, if that is not safe.
template <class E, class T>
bool cholesky_qr(E& ex, MatrixView<T> A, MatrixView<T> R, double spread) {
    if (!cholesky_factor(ex, A, R, spread)) return false;
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R, A);
    return true;
}

/// A = Q R in place: Cholesky-QR twice, Householder if that is not safe. R is k-by-k.
template <class E, class T>
void orthonormalize(E& ex, MatrixView<T> A, MatrixView<T> R) {
    const index k = A.cols;
    if (k == 0) return;
    const double safe = 0.1 / std::sqrt(eps<T>);
    Buffer<T, E> second(ex, k * k), product(ex, k * k);
    const auto R2 = second.matrix(k, k), R21 = product.matrix(k, k);
    const bool once = A.rows >= 2 * k && cholesky_qr(ex, A, R, safe);
    if (!once) return householder_qr<T>(ex, A, R);
    if (!cholesky_qr(ex, A, R2, 2.0)) householder_qr<T>(ex, A, R2);
    gemm<T>(ex, Op::None, Op::None, T(1), R2, R, T(0), R21);
    copy<E, T>(ex, R21, R);
}

/// C = B Rs, Rs being the triangular factor of a sketch S C, whose transpose is Y: C is overwritten by
/// B, which is well conditioned (Fan, Guo, Lin, 2021). Also the factor R of B = Q R. False, and C in an
/// undefined state, if S C is numerically singular or B is not as it should be.
template <class E, class T>
bool precondition(E& ex, MatrixView<T> Y, MatrixView<T> C, MatrixView<T> Rs, MatrixView<T> R) {
    const index k = Y.rows, l = Y.cols;
    Buffer<T, E> b(ex, l * k);
    const auto B = b.matrix(l, k);
    for_each_entry(ex, l, B.cols, TransposeEntry<T>{Y, B});
    householder_qr<T>(ex, B, Rs, false);
    const auto diagonal = abs_diagonal(ex, Rs);
    const auto [low, high] = std::minmax_element(diagonal.begin(), diagonal.end());
    if (!(*low > static_cast<double>(k) * eps<T> * *high)) return false;
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, Rs, C);
    return cholesky_factor(ex, C, R, 10.0);
}

/// X = X R^-T for upper triangular R, or the minimum-norm solution when R is numerically singular.
/// X is n-by-k: the transposed coefficients. Returns the numerical rank of R.
template <class E, class T>
index solve_transposed(E& ex, MatrixView<T> R, MatrixView<T> X) {
    const index k = R.rows;
    const auto diagonal = abs_diagonal(ex, R);
    const double largest = k > 0 ? *std::max_element(diagonal.begin(), diagonal.end()) : 0.0;
    const double smallest = k > 0 ? *std::min_element(diagonal.begin(), diagonal.end()) : 0.0;
    if (smallest > static_cast<double>(k) * eps<T> * largest) {
        trsm<T>(ex, Side::Right, Uplo::Upper, Op::Trans, Diag::NonUnit, R, X);
        return k;
    }
    // R = U s Vh, so X R^-T becomes X conj(U) s^+ conj(Vh).
    Buffer<T, E> u(ex, k * k), vh(ex, k * k), conj_u(ex, k * k), y(ex, X.rows * k);
    Buffer<real_t<T>, E> s(ex, k);
    const auto U = u.matrix(k, k), Vh = vh.matrix(k, k), Uc = conj_u.matrix(k, k);
    const auto Y = y.matrix(X.rows, k);
    copy<E, T>(ex, R, U);
    for_each_entry(ex, k, U.cols, UpperTriangleEntry<T>{U});
    thin_svd<T>(ex, U, s.data(), Vh);
    const auto values = fetch(ex, s.data(), k);
    index rank = 0;
    const double floor = static_cast<double>(k) * eps<T> * static_cast<double>(values[0]);
    while (rank<k&& static_cast<double>(values[static_cast<std::size_t>(rank)])> floor) ++rank;
    for_each_entry(ex, k, Uc.cols, ConjugateEntry<T>{U, Uc});
    std::vector<T> inverse(static_cast<std::size_t>(k * k), T(0));
    for (index i = 0; i < rank; ++i)
        inverse[static_cast<std::size_t>(i + i * k)] =
            T(real_t<T>(1) / values[static_cast<std::size_t>(i)]);
    const auto scale = upload<T>(ex, inverse);
    gemm<T>(ex, Op::None, Op::None, T(1), Uc, scale.matrix(k, k), T(0), U);
    gemm<T>(ex, Op::None, Op::None, T(1), X, U, T(0), Y);
    for_each_entry(ex, k, Uc.cols, ConjugateEntry<T>{Vh, Uc});
    gemm<T>(ex, Op::None, Op::None, T(1), Y, Uc, T(0), X);
    return rank;
}

}  // namespace subspan
