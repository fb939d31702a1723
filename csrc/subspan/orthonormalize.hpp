// Orthonormal bases of tall matrices and the triangular solves that follow them.
//
// Cholesky-QR does all its work in GEMM-rate calls but squares the condition number; applied twice
// it is as good as Householder for cond(A) < 1/sqrt(eps) (Yamamoto et al., ETNA 2015). Beyond that
// the triangular factor of a sketch of A preconditions it (Fan, Guo, Lin, 2021), or LU with partial
// pivoting. Failure is detected and Householder takes over.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "subspan/dense.hpp"
#include "subspan/kernels.hpp"
#include "subspan/source.hpp"

namespace subspan {

template <class T>
inline constexpr double eps = static_cast<double>(std::numeric_limits<real_t<T>>::epsilon());

/// Relative size from which an inconsistency is an error of the caller rather than rounding.
template <class T>
inline double clearly_wrong() {
    return std::cbrt(eps<T>);
}

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

/// ||A||_F^2.
template <class E, class T>
double squared_norm(E& ex, MatrixView<T> A) {
    Buffer<double, E> norms2(ex, A.cols);
    parallel_for(ex, A.cols, ColumnNorm<T>{A, norms2.data()}, A.rows);
    return sum(ex, norms2.data(), A.cols);
}

/// Y = Y - Q (Q^H Y).
template <class T, class E>
void project_out(E& ex, MatrixView<T> Q, MatrixView<T> Y) {
    if (Q.cols == 0 || Y.cols == 0) return;
    Buffer<T, E> inner(ex, Q.cols * Y.cols);
    const auto QY = inner.matrix(Q.cols, Y.cols);
    gemm<T>(ex, Op::ConjTrans, Op::None, T(1), Q, Y, T(0), QY);
    gemm<T>(ex, Op::None, Op::None, T(-1), Q, QY, T(1), Y);
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

/// A = B R in place for the triangular factor R of a sketch Y of A, given as its transpose: B is well
/// conditioned whatever A (Fan, Guo, Lin, 2021). False, and A untouched, if the diagonal of R spans more
/// than 1 / floor.
template <class T, class E>
bool precondition(E& ex, In<T> Yt, MatrixView<T> A, MatrixView<T> R, double floor) {
    Buffer<T, E> memory(ex, Yt.cols * Yt.rows);
    const auto Y = memory.matrix(Yt.cols, Yt.rows);
    for_each_entry(ex, Y.rows, Y.cols, TransposeEntry<T>{Yt, Y});
    householder_qr<T>(ex, Y, R, false);
    const auto diagonal = abs_diagonal(ex, R);
    const auto [low, high] = std::minmax_element(diagonal.begin(), diagonal.end());
    if (!(*low > floor * *high)) return false;
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R, A);
    return true;
}

/// The same from a sketch of A made here, with about twice as many rows as A has columns: cond(B) is
/// about 6 whatever cond(A) < 1/eps. False also if A is too small for that to pay.
template <class T, class E>
bool sketch_and_precondition(E& ex, MatrixView<T> A, MatrixView<T> R) {
    const index k = A.cols;
    SketchOperator S;
    S.kind = SketchKind::SparseSign;
    S.size = 2 * k + 24;
    S.dim = A.rows;
    S.id.operand = 3;
    if (A.rows < 2 * S.size) return false;
    Buffer<T, E> sketched(ex, k * S.size);
    const auto Yt = sketched.matrix(k, S.size);
    sketch(ex, dense_source<T>(A), S, Yt);
    return precondition<T>(ex, Yt, A, R, 10 * static_cast<double>(k) * eps<T>);
}

/// A = B R in place by LU with partial pivoting: B is a row permutation of the unit lower triangular
/// factor, well conditioned in practice however ill conditioned A is, and R the upper one.
template <class T, class E>
void lu_precondition(E& ex, MatrixView<T> A, MatrixView<T> R) {
    const index m = A.rows, k = A.cols;
    Buffer<index, E> transpositions(ex, k);
    Buffer<T, E> ordered(ex, m * k);
    const auto L = ordered.matrix(m, k);
    lu<T>(ex, A, transpositions.data());
    std::vector<index> order(static_cast<std::size_t>(m));
    std::iota(order.begin(), order.end(), index{0});
    apply_transpositions(fetch(ex, transpositions.data(), k), order.data());
    const auto rows = upload<index>(ex, order);
    copy<E, T>(ex, A.row_range(0, k), R);
    for_each_entry(ex, k, k, UpperTriangleEntry<T>{R});
    for_each_entry(ex, k, k, UnitLowerEntry<T>{A.row_range(0, k)});
    for_each_entry(ex, m, k, ScatterRowEntry<T>{A, L, rows.data()});
    copy<E, T>(ex, L, A);
}

/// Rows per column from which a sketch is the cheaper preconditioner: it reads A once, where LU searches
/// every column for its pivot.
inline constexpr index tall_enough_to_sketch = 16;

/// A = Q R in place: Cholesky-QR twice; before it, where A is too ill conditioned, a sketch or LU;
/// Householder if that is not safe either. R is k-by-k.
template <class E, class T>
void orthonormalize(E& ex, MatrixView<T> A, MatrixView<T> R) {
    const index k = A.cols;
    if (k == 0) return;
    if (A.rows < 2 * k) return householder_qr<T>(ex, A, R);
    const double safe = 0.1 / std::sqrt(eps<T>);
    Buffer<T, E> next(ex, k * k), product(ex, k * k);
    const auto R2 = next.matrix(k, k), R21 = product.matrix(k, k);
    const auto follow = [&] {  // R = R2 R
        gemm<T>(ex, Op::None, Op::None, T(1), R2, R, T(0), R21);
        copy<E, T>(ex, R21, R);
    };
    double spread = 2.0;  // what the last factor may show
    if (!cholesky_qr(ex, A, R, safe)) {
        if (A.rows >= tall_enough_to_sketch * k && sketch_and_precondition(ex, A, R)) {
            spread = 10.0;
        } else {
            lu_precondition(ex, A, R);
            if (!cholesky_qr(ex, A, R2, safe)) {
                householder_qr<T>(ex, A, R2);
                return follow();
            }
            follow();
        }
    }
    if (!cholesky_qr(ex, A, R2, spread)) householder_qr<T>(ex, A, R2);
    follow();
}

/// Columns of Q from `rank` on become orthonormal and orthogonal to those before them, which are kept:
/// further columns of the product of the reflectors that make those of the identity.
template <class T, class E>
void complete_basis(E& ex, MatrixView<T> Q, index rank) {
    const index k = Q.cols, more = k - rank;
    if (more == 0) return;
    Buffer<T, E> memory(ex, Q.rows * k), triangle(ex, k * k);
    const auto H = memory.matrix(Q.rows, k);
    copy<E, T>(ex, Q.columns(0, rank), H.columns(0, rank));
    for_each_entry(ex, Q.rows, more, ZeroEntry<T>{H.columns(rank, more)});
    householder_qr<T>(ex, H, triangle.matrix(k, k));
    copy<E, T>(ex, H.columns(rank, more), Q.columns(rank, more));
}

/// A well-conditioned basis of the range of A, in place: what an iteration needs between two products.
template <class E, class T>
void condition(E& ex, MatrixView<T> A) {
    const index k = A.cols;
    Buffer<T, E> factor(ex, k * k);
    const auto R = factor.matrix(k, k);
    if (k == 0) return;
    if (A.rows >= tall_enough_to_sketch * k && sketch_and_precondition(ex, A, R)) return;
    lu_precondition(ex, A, R);
}

/// X = X R^-T for upper triangular R, or the minimum-norm solution when R is numerically singular.
/// X is n-by-k: the transposed coefficients. Returns the numerical rank of R.
template <class E, class T>
index solve_transposed(E& ex, MatrixView<T> R, MatrixView<T> X) {
    const index k = R.rows;
    if (k == 0) return 0;
    const auto diagonal = abs_diagonal(ex, R);
    const double largest = *std::max_element(diagonal.begin(), diagonal.end());
    const double smallest = *std::min_element(diagonal.begin(), diagonal.end());
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
