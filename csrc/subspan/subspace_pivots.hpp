// Selections from an orthonormal basis of the dominant row space: DEIM, leverage scores, and adaptive
// randomized pivoting (ARP).
//
// The basis B (n-by-k) spans (approximately) the leading right singular vectors of A, up to complex
// conjugation, which changes none of the three.
#pragma once

#include "subspan/lupp.hpp"

namespace subspan {

enum class SubspaceRule : int {
    Deim = 0,            // LU with partial pivoting of the singular vectors
    LeverageTop = 1,     // the k largest row norms of the basis
    LeverageSample = 2,  // k distinct draws with probability proportional to the squared row norms
    Arp = 3,             // a draw of the projection determinantal point process of the basis
};

/// Leading k right singular vectors (conjugated) of A by a sketch with l >= k columns: one power
/// step (an extra pass each way), then the singular value decomposition of A Q (HMT 2011, Alg. 5.1).
template <class T, class E, class S>
void row_space_basis(E& ex, const S& A, MatrixView<T> Y, index k, MatrixView<T> basis) {
    const index l = Y.cols, m = A.rows, n = A.cols;
    Buffer<T, E> r(ex, l * l), conj(ex, n * l), image(ex, m * l), vh(ex, l * l), vt(ex, l * l);
    const auto R = r.matrix(l, l), Vh = vh.matrix(l, l), Vt = vt.matrix(l, l);
    const auto Yc = conj.matrix(n, l), Z = image.matrix(m, l);
    orthonormalize<E, T>(ex, Y, R);
    const auto image_of_basis = [&] {
        for_each_entry(ex, n, Yc.cols, ConjugateEntry<T>{Y, Yc});
        apply(ex, A, Yc, Z);
        ex.poll();
    };
    image_of_basis();
    orthonormalize<E, T>(ex, Z, R);
    Buffer<T, E> conj_image(ex, m * l);
    for_each_entry(ex, m, conj_image.matrix(m, l).cols,
                   ConjugateEntry<T>{Z, conj_image.matrix(m, l)});
    apply_transpose(ex, A, conj_image.matrix(m, l), Y);  // Y = (Z^H A)^T
    orthonormalize<E, T>(ex, Y, R);
    image_of_basis();
    // A ~ Z Y^T, Z = U s Vh: the conjugated right singular vectors are Y Vh^T.
    Buffer<real_t<T>, E> s(ex, l);
    thin_svd<T>(ex, Z, s.data(), Vh);
    for_each_entry(ex, l, Vt.cols, TransposeEntry<T>{Vh, Vt});
    gemm<T>(ex, Op::None, Op::None, T(1), Y, Vt.columns(0, k), T(0), basis);
}

/// Squared row norms of an orthonormal basis; they sum to its number of columns.
template <class T, class E>
std::vector<double> leverage_scores(E& ex, MatrixView<T> basis) {
    Buffer<double, E> scores(ex, basis.rows);
    parallel_for(ex, basis.rows, RowNorm<T>{basis, scores.data()});
    return fetch(ex, scores.data(), basis.rows);
}

/// A sample of the projection determinantal point process of the basis B: one row at a time with
/// probability proportional to the squared norm left after projecting out the rows already drawn.
/// (Cortinovis and Kressner 2412.13992; E ||A - A_S T||_F^2 = (k + 1) ||A - A B B^H||_F^2.)
/// With K = B B^H the norms left are the diagonal of its Schur complement: k Cholesky steps.
template <class T, class E>
std::vector<index> sample_determinantal(E& ex, MatrixView<T> B, const StreamId& id) {
    const index n = B.rows, k = B.cols;
    Buffer<T, E> factor(ex, n * k), row(ex, k), column(ex, n);
    Buffer<double, E> left(ex, n);
    parallel_for(ex, n, RowNorm<T>{B, left.data()});
    const auto F = factor.matrix(n, k);
    std::vector<index> chosen;
    for (index step = 0; step < k; ++step) {
        auto d = fetch(ex, left.data(), n);
        for (const index j : chosen) d[static_cast<std::size_t>(j)] = 0;
        const auto drawn = sample_without_replacement(d, 1, id, step);
        if (drawn.empty()) break;
        const index s = drawn[0];
        const auto at = upload<index>(ex, drawn);
        // g = K[:, s] - F F[s, :]^H, then F(:, step) = g / sqrt(g_s)
        const auto b = row.matrix(1, k), g = column.matrix(n, 1);
        for_each_entry(ex, 1, b.cols, GatherRowEntry<T>{B, b, at.data()});
        gemm<T>(ex, Op::None, Op::ConjTrans, T(1), B, b, T(0), g);
        if (step > 0) {
            const auto f = row.matrix(1, step);
            for_each_entry(ex, 1, f.cols, GatherRowEntry<T>{F.columns(0, step), f, at.data()});
            gemm<T>(ex, Op::None, Op::ConjTrans, T(-1), F.columns(0, step), f, T(1), g);
        }
        const T pivot = fetch(ex, g.data + s, 1)[0];
        const double size = static_cast<double>(std::real(pivot));
        if (!(size > 0)) break;
        const T scale = T(static_cast<real_t<T>>(1 / std::sqrt(size)));
        const auto one = upload<T>(ex, std::vector<T>{scale});
        gemm<T>(ex, Op::None, Op::None, T(1), g, one.matrix(1, 1), T(0), F.columns(step, 1));
        parallel_for(ex, n, DowndateNorm<T>{F.columns(step, 1), left.data()});
        chosen.push_back(s);
    }
    return chosen;
}

template <class T, class E, class S>
Skeleton<T, E> select_from_subspace(E& ex, const S& A, const SelectOptions& options,
                                    SubspaceRule rule) {
    Skeleton<T, E> out;
    first_pass(ex, A, options.sketch, options, out);
    const index n = A.cols, k = options.rank, l = options.pivot_rows;
    Buffer<T, E> y(ex, n * l), b(ex, n * k);
    const auto Y = y.matrix(n, l), B = b.matrix(n, k);
    pivot_columns(ex, options.sketch, out.sketch_matrix(n), Y);
    row_space_basis(ex, A, Y, k, B);
    out.passes += 3;
    std::vector<index> chosen;
    if (rule == SubspaceRule::Arp) {
        chosen = sample_determinantal(ex, B, options.sampling);
    } else if (rule == SubspaceRule::Deim) {
        Buffer<index, E> transpositions(ex, k);
        lu<T>(ex, B, transpositions.data());
        auto perm = permutation_with({}, n);
        apply_transpositions(fetch(ex, transpositions.data(), k), perm.data());
        chosen.assign(perm.begin(), perm.begin() + k);
    } else {
        const auto scores = leverage_scores(ex, B);
        chosen = rule == SubspaceRule::LeverageTop
                     ? largest(scores, k)
                     : sample_without_replacement(scores, k, options.sampling, 0);
    }
    out.rank = static_cast<index>(chosen.size());
    out.perm = permutation_with(chosen, n);
    if (out.rank < k) out.stop = StopReason::Exhausted;
    return out;
}

}  // namespace subspan
