// Strong rank-revealing QR (Gu and Eisenstat, SIAM J. Sci. Comput. 17, 1996): the slow reference.
//
// Starts from column-pivoted QR of A and swaps a chosen with a redundant column while that enlarges
// |det R11| by more than f; every step retriangularises from scratch. On return |R11^-1 R12| <= f.
#pragma once

#include "subspan/lupp.hpp"

namespace subspan {

namespace detail {

struct Swap {
    double rho = 0;
    index chosen = 0, redundant = 0;
};

/// The swap that enlarges |det R11| most: rho_ij^2 = |(R11^-1 R12)_ij|^2 + (gamma_j / omega_i)^2.
template <class T, class E>
Swap best_swap(E& ex, MatrixView<T> R, index k) {
    const index n = R.cols, rest = n - k;
    Buffer<T, E> t(ex, rest * k), inverse(ex, k * k);
    Buffer<double, E> gammas(ex, rest), omegas(ex, k);
    const auto W = t.matrix(rest, k), X = inverse.matrix(k, k);  // W = (R11^-1 R12)^T
    const auto R11 = R.block(0, 0, k, k);
    for_each_entry(ex, rest, W.cols, TransposeEntry<T>{R.block(0, k, k, rest), W});
    trsm<T>(ex, Side::Right, Uplo::Upper, Op::Trans, Diag::NonUnit, R11, W);
    std::vector<index> all(static_cast<std::size_t>(k));
    std::iota(all.begin(), all.end(), index{0});
    const auto identity = upload<index>(ex, all);
    for_each_entry(ex, k, X.cols, UnitRowEntry<T>{X, identity.data()});
    trsm<T>(ex, Side::Left, Uplo::Upper, Op::None, Diag::NonUnit, R11, X);
    parallel_for(ex, k, RowNorm<T>{X, omegas.data()});  // 1 / omega_i^2
    parallel_for(ex, rest, ColumnNorm<T>{R.block(k, k, R.rows - k, rest), gammas.data()}, R.rows);
    const auto gamma2 = fetch(ex, gammas.data(), rest);
    const auto inverse_omega2 = fetch(ex, omegas.data(), k);
    const auto w = fetch(ex, W.data, rest * k);
    Swap best;
    for (index i = 0; i < k; ++i)
        for (index j = 0; j < rest; ++j) {
            const double rho = std::sqrt(squared_abs(w[static_cast<std::size_t>(j + i * rest)]) +
                                         gamma2[static_cast<std::size_t>(j)] *
                                             inverse_omega2[static_cast<std::size_t>(i)]);
            if (rho > best.rho) best = {rho, i, j};
        }
    return best;
}

/// R of A[:, perm] = Q R, upper triangular, min(m, n)-by-n, for A held as `columns` (m-by-n).
template <class T, class E>
void triangularise(E& ex, In<T> columns, const std::vector<index>& perm, MatrixView<T> R) {
    const index m = columns.rows, n = columns.cols, k = R.rows;
    Buffer<T, E> permuted(ex, m * n), head(ex, k * k);
    const auto order = upload<index>(ex, perm);
    const auto P = permuted.matrix(m, n);
    gather_columns(ex, dense_source<T>(columns), order.data(), P);
    const auto Q = P.columns(0, k);
    Buffer<T, E> copy_of_rest(ex, m * (n - k));
    const auto rest = copy_of_rest.matrix(m, n - k);
    copy<E, T>(ex, P.columns(k, n - k), rest);
    householder_qr<T>(ex, Q, head.matrix(k, k));
    copy<E, T>(ex, head.matrix(k, k), R.columns(0, k));
    gemm<T>(ex, Op::ConjTrans, Op::None, T(1), Q, rest, T(0), R.columns(k, n - k));
}

}  // namespace detail

/// A must be dense; costs O(m n min(m, n)) per swap and copies A twice. At most 10 k swaps.
template <class T, class E, class S>
Skeleton<T, E> select_strong_rrqr(E& ex, const S& A, const SelectOptions& options, double f) {
    Skeleton<T, E> out;
    Buffer<double, E> norms(ex, A.cols);
    first_pass(ex, A, resized(options.sketch, 0), options, out, norms.data());
    const index m = A.rows, n = A.cols, p = std::min(m, n);
    std::vector<index> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), index{0});
    const auto identity = upload<index>(ex, all);
    Buffer<T, E> dense(ex, m * n), work(ex, m * n), r(ex, p * n);
    Buffer<index, E> pivots(ex, n);
    const auto columns = dense.matrix(m, n), factored = work.matrix(m, n), R = r.matrix(p, n);
    gather_columns(ex, A, identity.data(), columns);
    copy<E, T>(ex, columns, factored);
    pivoted_qr<T>(ex, factored, pivots.data());
    out.perm = fetch(ex, pivots.data(), n);
    auto diagonal = abs_diagonal(ex, factored);
    diagonal.resize(static_cast<std::size_t>(std::min(options.rank, p)));
    const index k = out.rank = numerical_rank<T>(diagonal, n);
    if (k < options.rank) out.stop = StopReason::Exhausted;
    for (index swaps = 0; k > 0 && k < n && swaps < 10 * k; ++swaps) {
        detail::triangularise<T>(ex, columns, out.perm, R);
        const detail::Swap swap = detail::best_swap(ex, R, k);
        if (!(swap.rho > f)) break;
        std::swap(out.perm[static_cast<std::size_t>(swap.chosen)],
                  out.perm[static_cast<std::size_t>(k + swap.redundant)]);
        ex.poll();
    }
    return out;
}

}  // namespace subspan
