// Column-pivoted QR: of a sketch B = S A (l-by-n), the pivots of B serving A (Voronin and Martinsson,
// 2017); and of a copy of A itself, for matrices so small that a sketch of them is not smaller.
#pragma once

#include <numeric>

#include "subspan/lupp.hpp"

namespace subspan {

/// A permutation with the first pivots of a QR at the head: the order of the others is rounding.
template <class E>
std::vector<index> leading_pivots(E& ex, const Buffer<index, E>& perm, index rank) {
    return permutation_with(fetch(ex, perm.data(), std::min(rank, perm.size())), perm.size());
}

template <class T, class E, class S>
Skeleton<T, E> select_sketched_cpqr(E& ex, const S& A, const SelectOptions& options) {
    Skeleton<T, E> out;
    first_pass(ex, A, options.sketch, options, out);
    const index n = A.cols, l = options.pivot_rows;
    Buffer<T, E> memory(ex, l * n), generic(ex, n * l);
    Buffer<index, E> perm(ex, n);
    const auto B = memory.matrix(l, n);
    const auto Y = generic.matrix(n, l);
    pivot_columns(ex, options.sketch, out.sketch_matrix(n), Y);
    for_each_entry(ex, l, n, TransposeEntry<T>{Y, B});
    pivoted_qr<T>(ex, B, perm.data());
    auto diagonal = abs_diagonal(ex, B);
    diagonal.resize(
        static_cast<std::size_t>(std::min(options.rank, static_cast<index>(diagonal.size()))));
    out.rank = numerical_rank<T>(diagonal, n);
    out.perm = leading_pivots(ex, perm, options.rank);
    if (out.rank < options.rank) out.stop = StopReason::Exhausted;
    return out;
}

/// Column-pivoted QR of a copy of A (Businger and Golub, 1965), as a factor of kind Triangular.
template <class T, class E, class S>
Skeleton<T, E> select_full_cpqr(E& ex, const S& A, const SelectOptions& options) {
    Skeleton<T, E> out;
    Buffer<double, E> norms(ex, A.cols);
    first_pass(ex, A, resized(options.sketch, 0), options, out, norms.data());
    const index m = A.rows, n = A.cols, steps = std::min(m, n);
    std::vector<index> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), index{0});
    const auto identity = upload<index>(ex, all);
    Buffer<T, E> copy_of_A(ex, m * n);
    Buffer<index, E> perm(ex, n);
    const auto R = copy_of_A.matrix(m, n);
    gather_columns(ex, A, identity.data(), R);
    ++out.passes;
    const index most = std::min(options.rank, steps);
    out.basis = Buffer<T, E>(ex, options.keep_basis ? m * most : 0);
    pivoted_qr<T>(ex, R, perm.data(), out.basis.matrix(m, options.keep_basis ? most : 0));
    for_each_entry(ex, m, n, UpperTriangleEntry<T>{R});
    auto diagonal = abs_diagonal(ex, R);
    diagonal.resize(static_cast<std::size_t>(most));
    out.rank = numerical_rank<T>(diagonal, n);
    out.perm = leading_pivots(ex, perm, options.rank);
    if (out.rank < options.rank) out.stop = StopReason::Exhausted;
    out.kind = FactorKind::Triangular;
    out.factor_cols = out.rank;
    out.factor = Buffer<T, E>(ex, n * out.rank);
    // (Q^H A)^T in column order, and what the chosen columns leave of the others.
    for_each_entry(ex, n, out.rank,
                   ScatterTransposedEntry<T>{R, out.factor_matrix(n), perm.data()});
    parallel_for(ex, n, ColumnNorm<T>{R.row_range(out.rank, m - out.rank), norms.data()}, m);
    out.history.push_back(
        {out.rank, std::sqrt(sum(ex, norms.data(), n)), true, out.rank, out.rank});
    return out;
}

}  // namespace subspan
