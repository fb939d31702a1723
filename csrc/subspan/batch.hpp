// One matrix of a batch: results of fixed shape whatever its rank, and what is known of its error.
#pragma once

#include "subspan/blocked_qr.hpp"
#include "subspan/svd.hpp"

namespace subspan {

/// What is known about one error: ||A||_F^2, the squared error, and 1 if that is exact, 0 if it comes
/// from the probe.
struct Facts {
    double norm2 = 0, error2 = 0, exact = 0;
};

template <class E, class T>
double trace(E& ex, MatrixView<T> G) {
    double total = 0;
    for (const double d : abs_diagonal(ex, G)) total += d;
    return total;
}

/// Squared error that the selection itself has revealed, else -1.
template <class T, class E>
double revealed_by(const Skeleton<T, E>& skeleton) {
    if (skeleton.history.empty() || !skeleton.history.back().exact) return -1;
    return skeleton.history.back().residual * skeleton.history.back().residual;
}

/// The facts of an error that is exact if it is not negative; else `probe_gram(G)` fills the Gram matrix
/// of what the probe sees of it.
template <class T, class E, class ProbeGram>
Facts facts_of(E& ex, const Skeleton<T, E>& skeleton, double error2, const ProbeGram& probe_gram) {
    if (error2 >= 0) return {skeleton.norm2, error2, 1};
    Buffer<T, E> memory(ex, skeleton.probes * skeleton.probes);
    const auto G = memory.matrix(skeleton.probes, skeleton.probes);
    probe_gram(G);
    return {skeleton.norm2, trace(ex, G), 0};
}

/// The leading singular values, on the host, and vectors; as many as U has columns.
template <class T, class E>
Facts svd_of_one(E& ex, const BothWays<T>& A, const RangeOptions& options, bool full,
                 MatrixView<T> U, real_t<T>* s, MatrixView<T> Vt) {
    const auto range = full ? factor_whole<T>(ex, A) : find_range<T>(ex, A, options);
    const auto small = svd_of_projection<T>(ex, range.Bt());
    singular_vectors(ex, range.Q(), range.Bt(), small, range.of_transpose, U, Vt);
    const auto all = fetch(ex, small.s.data(), small.size);
    std::copy_n(all.begin(), U.cols, s);
    Facts facts{range.norm2, range.residual2, range.residual2 >= 0 ? 1.0 : 0.0};
    if (range.residual2 < 0) {
        const auto P = range.probe_matrix();
        project_out(ex, range.Q(), P);
        facts.error2 = squared_norm(ex, P);
    }
    for (std::size_t j = static_cast<std::size_t>(U.cols); j < all.size(); ++j)
        facts.error2 += static_cast<double>(all[j]) * static_cast<double>(all[j]);
    return facts;
}

/// Coefficients of the first columns of the permutation, as many as Wt has columns. Where fewer are
/// independent, those of the others are unit vectors.
template <class T, class E, class S>
Facts interp_of_one(E& ex, const S& A, Skeleton<T, E>& skeleton, Coefficients mode,
                    MatrixView<T> Wt) {
    const index n = Wt.rows, k = Wt.cols, rank = skeleton.rank;
    const auto W = Wt.columns(0, rank);
    double error2 = -1;
    switch (mode) {
        case Coefficients::Factor:
            factor_coefficients(ex, skeleton, W);
            error2 = revealed_by(skeleton);
            break;
        case Coefficients::Osid:
            sketched_coefficients(ex, skeleton, W);
            break;
        case Coefficients::Exact:
            error2 = exact_coefficients(ex, A, skeleton, W, 0.0);
            break;
    }
    const auto facts = facts_of(ex, skeleton, error2,
                                [&](MatrixView<T> G) { probe_error_gram<T>(ex, skeleton, W, G); });
    const auto order = upload<index>(ex, skeleton.perm);
    for_each_entry(ex, n, k - rank, ZeroEntry<T>{Wt.columns(rank, k - rank)});
    for_each_entry(ex, k, k, UnitRowEntry<T>{Wt, order.data()});
    return facts;
}

/// Q and R of the skeleton columns. Where there are fewer than Q has columns, the others of Q are
/// orthonormal to them and the rows of R are zero.
template <class T, class E, class S>
Facts qr_of_one(E& ex, const S& A, Skeleton<T, E>& skeleton, const SketchOperator& probe,
                MatrixView<T> Q, MatrixView<T> Rt) {
    const index rank = skeleton.rank, more = Q.cols - rank;
    const auto Q1 = Q.columns(0, rank), Rt1 = Rt.columns(0, rank);
    const double difference = truncated_qr(ex, A, skeleton, 0.0, Q1, Rt1);
    const double revealed = revealed_by(skeleton);
    complete_basis(ex, Q, rank);
    for_each_entry(ex, Rt.rows, more, ZeroEntry<T>{Rt.columns(rank, more)});
    return facts_of(ex, skeleton, revealed >= 0 ? revealed : difference,
                    [&](MatrixView<T> G) { qr_probe_gram<T>(ex, skeleton, probe, Q1, Rt1, G); });
}

}  // namespace subspan
