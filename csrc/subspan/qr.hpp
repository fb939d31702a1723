// Truncated column-pivoted QR: A[:, perm] ~ Q R for the columns that a selection has chosen.
//
// Q (m-by-k) is an orthonormal basis of the chosen columns and R = Q^H A[:, perm] (k-by-n), upper
// trapezoidal with a real non-negative diagonal: only k columns of Q and k rows of R are ever formed.
// R is written as its transpose, an n-by-k column-major matrix, which is the row-major R.
#pragma once

#include "subspan/interp.hpp"

namespace subspan {

/// Turns the phases of the columns of Q and of the rows of R so that diag(R) is real, not negative.
template <class T>
struct PositiveDiagonal {
    MatrixView<T> Q, Rt;
    SUBSPAN_HD void operator()(index j) const {
        const double size = std::sqrt(squared_abs(Rt(j, j)));
        if (size == 0) return;
        const T phase = Rt(j, j) / static_cast<real_t<T>>(size);
        for (index i = 0; i < Q.rows; ++i) Q(i, j) *= phase;
        for (index i = j + 1; i < Rt.rows; ++i) Rt(i, j) *= conjugate(phase);
        Rt(j, j) = T(static_cast<real_t<T>>(size));
    }
};

/// Q R = A_J for the skeleton columns: preconditioned Cholesky-QR where their sketch allows it.
template <class T, class E, class S>
void orthonormal_skeleton(E& ex, const S& A, const Skeleton<T, E>& skeleton, MatrixView<T> Q,
                          MatrixView<T> R) {
    const index k = Q.cols;
    const auto order = upload<index>(ex, skeleton.perm);
    gather_columns(ex, A, order.data(), Q);
    Buffer<T, E> sketched(ex, k * k), small(ex, k * k);
    const auto Rs = sketched.matrix(k, k), R2 = small.matrix(k, k);
    if (precondition_skeleton(ex, skeleton, A.cols, Q, Rs, R2)) {
        trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R2, Q);
        gemm<T>(ex, Op::None, Op::None, T(1), R2, Rs, T(0), R);
        return;
    }
    gather_columns(ex, A, order.data(), Q);
    orthonormalize<E, T>(ex, Q, R);
}

/// Rt = (Q^H A[:, perm])^T, its leading triangle taken from R11. One pass over A.
template <class T, class E, class S>
void project_in_order(E& ex, const S& A, const std::vector<index>& perm, MatrixView<T> Q,
                      MatrixView<T> R11, MatrixView<T> Rt) {
    const index n = A.cols, k = Q.cols;
    for_each_entry(ex, k, R11.cols, TransposeEntry<T>{R11, Rt});
    if (n == k) return;
    Buffer<T, E> product(ex, n * k);
    const auto Wt = product.matrix(n, k);
    project(ex, A, Q, Wt);
    const auto order = upload<index>(ex, perm);
    for_each_entry(ex, n - k, Rt.cols,
                   GatherRowEntry<T>{Wt, Rt.row_range(k, n - k), order.data() + k});
}

/// Q and R of the skeleton columns. Returns the squared error ||A||_F^2 - ||R||_F^2 if that difference
/// has digits, else -1. With a tolerance, trailing pivots are dropped while the error stays below it;
/// skeleton.rank becomes the rank that is left, and the leading columns of Q and Rt are used.
///
/// A selection that kept its basis has made Q and R already; the others take two more passes over A,
/// one to gather the columns, one for Q^H A.
template <class T, class E, class S>
double truncated_qr(E& ex, const S& A, Skeleton<T, E>& skeleton, double tolerance, MatrixView<T> Q,
                    MatrixView<T> Rt) {
    const index n = A.cols, k = skeleton.rank;
    double left = -1;
    if (skeleton.basis.size() > 0) {
        const auto order = upload<index>(ex, skeleton.perm);
        const auto basis = skeleton.basis.matrix(Q.rows, skeleton.factor_cols);
        copy<E, T>(ex, basis.columns(0, k), Q);
        for_each_entry(ex, n, Rt.cols,
                       GatherRowEntry<T>{skeleton.factor_matrix(n), Rt, order.data()});
        for_each_entry(ex, k, Rt.cols, LowerTriangleEntry<T>{Rt});
    } else {
        Buffer<T, E> r(ex, k * k);
        const auto R11 = r.matrix(k, k);
        orthonormal_skeleton(ex, A, skeleton, Q, R11);
        ex.poll();
        project_in_order(ex, A, skeleton.perm, Q, R11, Rt);
        skeleton.passes += 2;
        Buffer<double, E> norms(ex, k);
        parallel_for(ex, k, ColumnNorm<T>{Rt, norms.data()}, n);
        left = trim(skeleton, fetch(ex, norms.data(), k), tolerance, 1e4 * eps<T>);
    }
    parallel_for(ex, k, PositiveDiagonal<T>{Q, Rt}, Q.rows + n);
    return left;
}

/// Gram matrix (s-by-s) of (G (A[:, perm] - Q R))^T, the error seen by the probe G of the skeleton.
template <class T, class E>
void qr_probe_gram(E& ex, const Skeleton<T, E>& skeleton, const SketchOperator& G, In<T> Q,
                   In<T> Rt, MatrixView<T> gram_matrix) {
    const index n = Rt.rows, k = Q.cols, s = skeleton.probes;
    Buffer<T, E> error(ex, n * s), image(ex, k * s);
    const auto Err = error.matrix(n, s), GQt = image.matrix(k, s);
    const auto order = upload<index>(ex, skeleton.perm);
    for_each_entry(ex, n, s, GatherRowEntry<T>{skeleton.probe_matrix(n), Err, order.data()});
    if (k > 0) {
        sketch(ex, dense_source<T>(Q), G, GQt);
        gemm<T>(ex, Op::None, Op::None, T(-1), Rt, GQt, T(1), Err);
    }
    gram<T>(ex, Err, gram_matrix);
}

}  // namespace subspan
