// Column-pivoted QR of a sketch: B = S A (l-by-n), pivots of B for A (Voronin and Martinsson, 2017).
#pragma once

#include "subspan/lupp.hpp"

namespace subspan {

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
    out.perm = fetch(ex, perm.data(), n);
    if (out.rank < options.rank) out.stop = StopReason::Exhausted;
    return out;
}

}  // namespace subspan
