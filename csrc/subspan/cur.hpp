// CUR decomposition: A ~ C U R with C = A[:, J], R = A[I, :], kept as Q_C M Q_R^H.
//
// C = Q_C R_C and R^H = Q_R R_R, so C U R = Q_C M Q_R^H with M = R_C U R_R^H. An explicit U is as large
// as the inverses of R_C and R_R and C (U R) loses all digits to it; M is never larger than A. The best
// M for given C and R is Q_C^H A Q_R, i.e. U = C^+ A R^+ (Stewart 1999), with
//   ||A - Q_C M Q_R^H||_F^2 = ||A||_F^2 - ||M||_F^2.
// Rows are those that LU with partial pivoting chooses in C (Dong and Martinsson, 2104.05877).
#pragma once

#include <optional>
#include <utility>

#include "subspan/lupp.hpp"
#include "subspan/qr.hpp"

namespace subspan {

enum class CurCore : int {
    Projection = 0,  // M = Q_C^H A Q_R
    Cross = 1,       // U = A[I, J]^+, singular values below k eps dropped
    Id = 2,          // U = W R^+, W the coefficients of the column ID from the sketch
};

template <class T>
struct CurFactors {
    MatrixView<T> Qc, Rc;  // m-by-k, k-by-k
    MatrixView<T> M;       // k-by-k
    MatrixView<T> Qr, Rr;  // n-by-k, k-by-k

    CurFactors leading(index k) const {
        return {Qc.columns(0, k), Rc.block(0, 0, k, k), M.block(0, 0, k, k), Qr.columns(0, k),
                Rr.block(0, 0, k, k)};
    }
};

struct CurChoice {
    std::vector<index> rows;
    double error2 = -1;  // squared error, or -1 where its digits cancelled
};

/// C = Q_C R_C for the skeleton columns, and Pt = (Q_C^H A)^T unless it is empty.
template <class T, class E, class S>
void cur_columns(E& ex, const S& A, Skeleton<T, E>& skeleton, MatrixView<T> Qc, MatrixView<T> Rc,
                 MatrixView<T> Pt) {
    const index k = skeleton.rank;
    if (skeleton.basis.size() > 0) {
        const auto order = upload<index>(ex, skeleton.perm);
        Buffer<T, E> rows(ex, k * k);
        const auto F = skeleton.factor_matrix(A.cols).columns(0, k), Rt = rows.matrix(k, k);
        copy<E, T>(ex, skeleton.basis.matrix(A.rows, skeleton.factor_cols).columns(0, k), Qc);
        copy<E, T>(ex, F, Pt);
        for_each_entry(ex, k, Rt.cols, GatherRowEntry<T>{F, Rt, order.data()});
        for_each_entry(ex, k, Rc.cols, TransposeEntry<T>{Rt, Rc});
        return;
    }
    orthonormal_skeleton(ex, A, skeleton, Qc, Rc);
    ++skeleton.passes;
    ex.poll();
    if (Pt.cols == 0) return;
    project(ex, A, Qc, Pt);
    ++skeleton.passes;
}

/// The rows that LU with partial pivoting chooses in Q_C; the same as in C = Q_C R_C.
template <class T, class E>
std::vector<index> row_pivots(E& ex, MatrixView<T> Qc) {
    const index m = Qc.rows, k = Qc.cols;
    Buffer<T, E> memory(ex, m * k);
    Buffer<index, E> transpositions(ex, k);
    copy<E, T>(ex, Qc, memory.matrix(m, k));
    lu<T>(ex, memory.matrix(m, k), transpositions.data());
    std::vector<index> perm = permutation_with({}, m);
    apply_transpositions(fetch(ex, transpositions.data(), k), perm.data());
    perm.resize(static_cast<std::size_t>(k));
    return perm;
}

/// R^H = A[I, :]^H, by columns of the source At of A^T.
template <class T, class E, class S>
void gather_adjoint_rows(E& ex, const S& At, const index* rows, MatrixView<T> Rh) {
    gather_columns(ex, At, rows, Rh);
    if constexpr (is_complex<T>) for_each_entry(ex, Rh.rows, Rh.cols, ConjugateEntry<T>{Rh, Rh});
}

/// M = R_C X^+ R_R^H for X = A[I, J], given X^H: with X = U s Vh, (R_C Vh^H s^+) (R_R U)^H.
template <class T, class E>
void cross_core(E& ex, MatrixView<T> Xh, const CurFactors<T>& f) {
    const index k = Xh.cols;
    Buffer<T, E> vh(ex, k * k), left(ex, k * k), right(ex, k * k), scaled(ex, k * k);
    Buffer<real_t<T>, E> s(ex, k);
    const auto Vh = vh.matrix(k, k), L = left.matrix(k, k), R = right.matrix(k, k);
    thin_svd<T>(ex, Xh, s.data(), Vh);  // X^H = V s U^H: V in Xh, U^H in Vh
    const auto values = fetch(ex, s.data(), k);
    std::vector<T> inverse(static_cast<std::size_t>(k * k), T(0));
    const auto floor = static_cast<real_t<T>>(static_cast<double>(k) * eps<T>) * values[0];
    for (index i = 0; i < k; ++i) {
        const auto value = values[static_cast<std::size_t>(i)];
        if (value > floor) inverse[static_cast<std::size_t>(i + i * k)] = T(1 / value);
    }
    const auto scale = upload<T>(ex, inverse);
    gemm<T>(ex, Op::None, Op::None, T(1), f.Rc, Xh, T(0), R);
    gemm<T>(ex, Op::None, Op::None, T(1), R, scale.matrix(k, k), T(0), L);
    gemm<T>(ex, Op::None, Op::ConjTrans, T(1), f.Rr, Vh, T(0), R);
    gemm<T>(ex, Op::None, Op::ConjTrans, T(1), L, R, T(0), f.M);
}

/// M = R_C W Q_R for the coefficients W that least squares on the sketch gives.
template <class T, class E>
void id_core(E& ex, const Skeleton<T, E>& skeleton, const CurFactors<T>& f) {
    const index n = f.Qr.rows, k = f.Qr.cols;
    Buffer<T, E> w(ex, n * k), product(ex, k * k);
    const auto Wt = w.matrix(n, k), WQ = product.matrix(k, k);
    sketched_coefficients(ex, skeleton, Wt);
    gemm<T>(ex, Op::Trans, Op::None, T(1), Wt, f.Qr, T(0), WQ);
    gemm<T>(ex, Op::None, Op::None, T(1), f.Rc, WQ, T(0), f.M);
}

/// to(:, j) = scale[j] from(:, j), its upper triangle alone.
template <class T>
struct ScaleTriangleEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const double* scale;
    SUBSPAN_HD void operator()(index i, index j) const {
        to(i, j) = i <= j ? from(i, j) * static_cast<real_t<T>>(scale[j]) : T(0);
    }
};

/// Basis of the range of triangular R, k-by-rank, where columns of Q R have no digits outside the span
/// of those before them, so that directions of Q are arbitrary; nothing where all have.
template <class T, class E>
std::optional<std::pair<Buffer<T, E>, index>> range_of_dependent(E& ex, MatrixView<T> R) {
    const index k = R.cols;
    const double floor = (10 + static_cast<double>(k)) * eps<T>;
    Buffer<double, E> squares(ex, k);
    parallel_for(ex, k, ColumnNorm<T>{R, squares.data()}, k);
    auto scale = fetch(ex, squares.data(), k);
    const auto diagonal = abs_diagonal(ex, R);
    bool independent = true;
    for (std::size_t j = 0; j < scale.size(); ++j) {
        const double size = std::sqrt(scale[j]);
        independent = independent && diagonal[j] > floor * size;
        scale[j] = size > 0 ? 1 / size : 0;
    }
    if (independent) return std::nullopt;
    const auto scales = upload<double>(ex, scale);
    Buffer<T, E> u(ex, k * k), vh(ex, k * k);
    Buffer<real_t<T>, E> s(ex, k);
    const auto U = u.matrix(k, k);
    for_each_entry(ex, k, k, ScaleTriangleEntry<T>{R, U, scales.data()});
    thin_svd<T>(ex, U, s.data(), vh.matrix(k, k));
    const auto values = fetch(ex, s.data(), k);
    index rank = 0;
    for (const auto value : values)
        rank += static_cast<double>(value) > floor * static_cast<double>(values[0]);
    return std::pair(std::move(u), rank);
}

/// Directions of Q_C and Q_R that are not in the span of C and R take no part: C U R cannot have them.
template <class T, class E>
void leave_out_arbitrary(E& ex, const CurFactors<T>& f) {
    const index k = f.M.rows;
    Buffer<T, E> inner(ex, k * k);
    if (const auto range = range_of_dependent(ex, f.Rc)) {
        const index rank = range->second;
        const auto U = range->first.matrix(k, rank), UM = inner.matrix(rank, k);
        gemm<T>(ex, Op::ConjTrans, Op::None, T(1), U, f.M, T(0), UM);
        gemm<T>(ex, Op::None, Op::None, T(1), U, UM, T(0), f.M);
    }
    if (const auto range = range_of_dependent(ex, f.Rr)) {
        const index rank = range->second;
        const auto U = range->first.matrix(k, rank), MU = inner.matrix(k, rank);
        gemm<T>(ex, Op::None, Op::None, T(1), f.M, U, T(0), MU);
        gemm<T>(ex, Op::None, Op::ConjTrans, T(1), MU, U, T(0), f.M);
    }
}

/// M of the core, given Pt = (Q_C^H A)^T unless it is empty and A[I, J]^H for the cross core. Returns the
/// squared error of the whole if Pt and the difference of energies tell it, else -1.
template <class T, class E>
double form_core(E& ex, const Skeleton<T, E>& skeleton, CurCore core, MatrixView<T> Pt,
                 MatrixView<T> intersection, const CurFactors<T>& f) {
    const index k = f.M.rows;
    const bool projected = Pt.cols > 0;
    Buffer<T, E> projection(ex, k * k);
    const auto best = projection.matrix(k, k);  // Q_C^H A Q_R
    if (projected) gemm<T>(ex, Op::Trans, Op::None, T(1), Pt, f.Qr, T(0), best);
    if (core == CurCore::Projection) copy<E, T>(ex, best, f.M);
    if (core == CurCore::Cross) cross_core(ex, intersection, f);
    if (core == CurCore::Id) id_core(ex, skeleton, f);
    leave_out_arbitrary(ex, f);
    if (!projected) return -1;
    // What the best core misses is orthogonal to the difference of the cores.
    double left = skeleton.norm2 - squared_norm(ex, best);
    for_each_entry(ex, k, k, SubtractEntry<T>{f.M, best});
    left += squared_norm(ex, best);
    return left > 1e4 * eps<T> * skeleton.norm2 ? left : -1;
}

/// The factors for the skeleton columns; `At` is the source of A^T. Q_C^H A, a pass over A, is what the
/// projection core needs, and what a tolerance or an exact error needs with the others. With a tolerance,
/// trailing columns are dropped while the error of the columns stays below it: skeleton.rank becomes
/// what is left, and leading parts of the factors are used.
template <class T, class E, class S>
CurChoice cur(E& ex, const S& A, const S& At, Skeleton<T, E>& skeleton, CurCore core,
              double tolerance, const CurFactors<T>& out) {
    const index n = A.cols, most = skeleton.rank;
    const bool at_hand = skeleton.basis.size() > 0;
    if (core == CurCore::Id && skeleton.sketch_cols < most) core = CurCore::Projection;
    const bool project_A = core == CurCore::Projection || tolerance > 0 || at_hand;
    Buffer<T, E> p(ex, project_A ? n * most : 0);
    const auto Pt = p.matrix(n, project_A ? most : 0);
    cur_columns(ex, A, skeleton, out.Qc, out.Rc, Pt);

    CurChoice found;
    if (project_A) {
        Buffer<double, E> norms(ex, most);
        parallel_for(ex, most, ColumnNorm<T>{Pt, norms.data()}, n);
        const auto energy = fetch(ex, norms.data(), most);
        trim(skeleton, energy, at_hand ? 0.0 : tolerance, 1e4 * eps<T>);
    }
    const auto f = out.leading(skeleton.rank);
    const index k = skeleton.rank;
    if (k == 0) return found;
    found.rows = row_pivots(ex, f.Qc);
    const auto rows = upload<index>(ex, found.rows);
    Buffer<T, E> crossing(ex, k * k);
    const auto intersection = crossing.matrix(k, k);
    gather_adjoint_rows(ex, At, rows.data(), f.Qr);
    if (core == CurCore::Cross) {
        const auto order = upload<index>(ex, skeleton.perm);
        for_each_entry(ex, k, k, GatherRowEntry<T>{f.Qr, intersection, order.data()});
    }
    orthonormalize<E, T>(ex, f.Qr, f.Rr);
    ++skeleton.passes;
    ex.poll();
    const auto projected = Pt.columns(0, project_A ? k : 0);
    found.error2 = form_core(ex, skeleton, core, projected, intersection, f);
    return found;
}

/// Gram matrix (s-by-s) of (G (A - Q_C M Q_R^H))^T, the error seen by the probe G of the skeleton.
template <class T, class E>
void cur_probe_gram(E& ex, const Skeleton<T, E>& skeleton, const SketchOperator& G, In<T> Qc,
                    In<T> M, In<T> Qr, MatrixView<T> gram_matrix) {
    const index n = Qr.rows, k = M.rows, s = skeleton.probes;
    Buffer<T, E> error(ex, n * s), image(ex, k * s), core(ex, k * s), conjugated(ex, n * k);
    const auto Err = error.matrix(n, s), GQt = image.matrix(k, s), MGQ = core.matrix(k, s);
    const auto Qrc = conjugated.matrix(n, k);
    copy<E, T>(ex, skeleton.probe_matrix(n), Err);
    if (k > 0) {
        sketch(ex, dense_source<T>(Qc), G, GQt);
        gemm<T>(ex, Op::Trans, Op::None, T(1), M, GQt, T(0), MGQ);
        for_each_entry(ex, n, k, ConjugateEntry<T>{Qr, Qrc});
        gemm<T>(ex, Op::None, Op::None, T(-1), Qrc, MGQ, T(1), Err);
    }
    gram<T>(ex, Err, gram_matrix);
}

}  // namespace subspan
