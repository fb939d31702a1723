// The interpolation matrix: A ~ A[:, J] W with W[:, J] = I, and the certificate of its error.
//
// W (k-by-n) is written as its transpose, an n-by-k column-major matrix, which is the row-major W.
#pragma once

#include "subspan/orthonormalize.hpp"
#include "subspan/skeleton.hpp"

namespace subspan {

enum class Coefficients : int {
    Factor = 0,  // from the pivoted factor of the selection
    Osid = 1,    // least squares on the sketch: oversampled sketchy ID
    Exact = 2,   // least squares against A: one more pass
};

/// Coefficients from the factor itself: T^T = L2 L1^-1 (LUPP), or R12^T R11^-T (methods on A).
template <class T, class E>
void factor_coefficients(E& ex, const Skeleton<T, E>& skeleton, MatrixView<T> Wt) {
    const index n = Wt.rows, k = skeleton.rank;
    const auto F = skeleton.factor_matrix(n).columns(0, k);
    const auto order = upload<index>(ex, skeleton.perm);
    if (skeleton.kind == FactorKind::UnitLower) {
        const auto rest = F.row_range(k, n - k);
        trsm<T>(ex, Side::Right, Uplo::Lower, Op::None, Diag::Unit, F.block(0, 0, k, k), rest);
        for_each_entry(ex, n - k, rest.cols, ScatterRowEntry<T>{rest, Wt, order.data() + k});
    } else {
        Buffer<T, E> r11(ex, k * k), rt11(ex, k * k);
        const auto R11 = r11.matrix(k, k), Rt11 = rt11.matrix(k, k);
        copy<E, T>(ex, F, Wt);
        for_each_entry(ex, k, Rt11.cols, GatherRowEntry<T>{F, Rt11, order.data()});
        for_each_entry(ex, k, R11.cols, TransposeEntry<T>{Rt11, R11});
        solve_transposed<E, T>(ex, R11, Wt);
    }
    for_each_entry(ex, k, Wt.cols, UnitRowEntry<T>{Wt, order.data()});
}

/// W = argmin ||Y^T - Y_J^T W||_F, Y = (S A)^T with at least k columns (2309.16002, OSID).
template <class T, class E>
void sketched_coefficients(E& ex, const Skeleton<T, E>& skeleton, MatrixView<T> Wt) {
    const index n = Wt.rows, k = skeleton.rank, l = skeleton.sketch_cols;
    const auto Y = skeleton.sketch_matrix(n);
    const auto order = upload<index>(ex, skeleton.perm);
    Buffer<T, E> yj(ex, k * l), b(ex, l * k), qc(ex, l * k), r(ex, k * k);
    const auto YJ = yj.matrix(k, l), B = b.matrix(l, k), Qc = qc.matrix(l, k), R = r.matrix(k, k);
    for_each_entry(ex, k, YJ.cols, GatherRowEntry<T>{Y, YJ, order.data()});
    for_each_entry(ex, l, B.cols, TransposeEntry<T>{YJ, B});
    orthonormalize<E, T>(ex, B, R);
    for_each_entry(ex, l, Qc.cols, ConjugateEntry<T>{B, Qc});
    gemm<T>(ex, Op::None, Op::None, T(1), Y, Qc, T(0), Wt);
    solve_transposed<E, T>(ex, R, Wt);
    for_each_entry(ex, k, Wt.cols, UnitRowEntry<T>{Wt, order.data()});
}

/// C = B Rs for the skeleton columns C, overwritten by B, preconditioned by their part of the sketch. Also
/// the factor R of B = Q R. False, and C in an undefined state, if there is no sketch to speak of or B is
/// not as it should be.
template <class T, class E>
bool precondition_skeleton(E& ex, const Skeleton<T, E>& skeleton, index n, MatrixView<T> C,
                           MatrixView<T> Rs, MatrixView<T> R) {
    const index k = C.cols, l = skeleton.sketch_cols;
    if (2 * l < 3 * k || C.rows < 2 * k) return false;
    const auto order = upload<index>(ex, skeleton.perm);
    Buffer<T, E> yj(ex, k * l);
    const auto YJ = yj.matrix(k, l);
    for_each_entry(ex, k, YJ.cols, GatherRowEntry<T>{skeleton.sketch_matrix(n), YJ, order.data()});
    if (!precondition<T>(ex, YJ, C, Rs, static_cast<double>(k) * eps<T>)) return false;
    return cholesky_factor(ex, C, R, 10.0);
}

/// Wt = (Q^H A)^T and R for the skeleton columns C = Q R, whose memory is used up. Two passes over A.
template <class T, class E, class S>
void project_onto_skeleton(E& ex, const S& A, const Skeleton<T, E>& skeleton, MatrixView<T> C,
                           MatrixView<T> R, MatrixView<T> Wt) {
    const index k = C.cols;
    const auto order = upload<index>(ex, skeleton.perm);
    gather_columns(ex, A, order.data(), C);
    Buffer<T, E> sketched(ex, k * k), small(ex, k * k);
    const auto Rs = sketched.matrix(k, k), R2 = small.matrix(k, k);
    if (precondition_skeleton(ex, skeleton, A.cols, C, Rs, R2)) {
        gemm<T>(ex, Op::None, Op::None, T(1), R2, Rs, T(0), R);
        ex.poll();
        apply_adjoint(ex, A, C, Wt);  // (B^H A)^T; R2^-H is applied to this, smaller than B
        if constexpr (is_complex<T>) for_each_entry(ex, k, k, ConjugateEntry<T>{R2, R2});
        trsm<T>(ex, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R2, Wt);
        return;
    }
    gather_columns(ex, A, order.data(), C);
    orthonormalize<E, T>(ex, C, R);
    ex.poll();
    apply_adjoint(ex, A, C, Wt);
}

/// Squared error of the least-squares coefficients, ||A||_F^2 less the energy of the rows of Q^H A,
/// or -1 where that difference has no digits (`floor` times ||A||_F^2). With a tolerance, drops
/// trailing pivots while the error stays below it: the energies of the dropped rows add up.
template <class T, class E>
double trim(Skeleton<T, E>& skeleton, const std::vector<double>& energy, double tolerance,
            double floor) {
    double error = skeleton.norm2;
    for (const double e : energy) error -= e;
    index rank = static_cast<index>(energy.size());
    while (tolerance > 0 && rank > 0) {
        const double next = std::max(error, 0.0) + energy[static_cast<std::size_t>(rank - 1)];
        if (next > tolerance * tolerance) break;
        error = next;
        --rank;
    }
    // Below the floor the difference says nothing: every pivot is kept. Dropped energy has no such
    // cancellation, so with a tolerance fewer digits of the difference are enough.
    if (tolerance > 0) floor *= 0.1;
    if (!(skeleton.norm2 > 0 && error > floor * skeleton.norm2)) return -1;
    skeleton.rank = rank;
    return error;
}

/// Whether every column of C = Q R has digits outside the span of those before it. Where one has none,
/// its direction in Q is arbitrary, and the energy of Q^H A says nothing about the span of C.
template <class T, class E>
bool independent_columns(E& ex, MatrixView<T> R) {
    Buffer<double, E> squares(ex, R.cols);
    parallel_for(ex, R.cols, ColumnNorm<T>{R, squares.data()}, R.rows);
    const auto norms2 = fetch(ex, squares.data(), R.cols);
    const auto diagonal = abs_diagonal(ex, R);
    for (std::size_t j = 0; j < diagonal.size(); ++j)
        if (diagonal[j] <= 1e3 * eps<T> * std::sqrt(norms2[j])) return false;
    return true;
}

/// W = argmin ||A - A_J W||_F by QR of A_J: one pass to gather A_J, one for Q^H A.
///
/// The squared error left is ||A||_F^2 - ||Q^H A||_F^2; it is returned if that difference has digits,
/// else -1. With a tolerance, trailing pivots are dropped while the error stays below it (the rows of
/// Q^H A add up); skeleton.rank becomes the rank that is left, and Wt's leading columns are used.
template <class T, class E, class S>
double exact_coefficients(E& ex, const S& A, Skeleton<T, E>& skeleton, MatrixView<T> Wt,
                          double tolerance) {
    const index m = A.rows, n = A.cols, k = skeleton.rank;
    Buffer<T, E> c(ex, m * k), r(ex, k * k);
    Buffer<double, E> norms(ex, k);
    const auto R = r.matrix(k, k);
    const auto order = upload<index>(ex, skeleton.perm);
    project_onto_skeleton(ex, A, skeleton, c.matrix(m, k), R, Wt);
    skeleton.passes += 2;
    parallel_for(ex, k, ColumnNorm<T>{Wt, norms.data()}, n);
    const auto energy = fetch(ex, norms.data(), k);
    const double left = trim(skeleton, energy, tolerance, 1e4 * eps<T>);
    const index rank = skeleton.rank;
    const bool independent = independent_columns<T>(ex, R);
    solve_transposed<E, T>(ex, R.block(0, 0, rank, rank), Wt.columns(0, rank));
    for_each_entry(ex, rank, rank, UnitRowEntry<T>{Wt.columns(0, rank), order.data()});
    return independent ? left : -1;
}

/// Gram matrix (s-by-s) of E = P - Wt P[J, :] = ((A - A_J W)^T G^T), the error seen by the probe G.
/// trace = unbiased estimate of ||A - A_J W||_F^2, since G is independent of J and W.
template <class T, class E>
void probe_error_gram(E& ex, const Skeleton<T, E>& skeleton, In<T> Wt, MatrixView<T> gram_matrix) {
    const index n = Wt.rows, k = skeleton.rank, s = skeleton.probes;
    Buffer<T, E> error(ex, n * s), pj(ex, k * s);
    const auto Err = error.matrix(n, s), PJ = pj.matrix(k, s);
    const auto order = upload<index>(ex, skeleton.perm);
    copy<E, T>(ex, skeleton.probe_matrix(n), Err);
    for_each_entry(ex, k, PJ.cols, GatherRowEntry<T>{skeleton.probe_matrix(n), PJ, order.data()});
    gemm<T>(ex, Op::None, Op::None, T(-1), Wt, PJ, T(1), Err);
    gram<T>(ex, Err, gram_matrix);
}

}  // namespace subspan
