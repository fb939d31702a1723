// Partial Cholesky factorization K ~ F F^H of a positive semidefinite matrix by chosen columns:
// randomly pivoted Cholesky (Chen, Epperly, Tropp, Webber, arXiv 2207.06503), its robust blockwise
// form (filter of 2309.16002), its accelerated form (2410.03969), greedy and uniform pivots.
//
// d = diag(K - F F^H) is kept; its sum is the trace, and hence the nuclear norm, of the error. Only
// the entries of the chosen columns and of the blocks of candidates are asked for:
//
//   propose J by d;  H = K[J, J] - F_J F_J^H;  keep the pivots T of H;  G = K[:, T] - F F_T^H;
//   R^H R = G[T, :];  F = [F, G R^-1];  d_j -= sum of the squares of the new entries of row j.
#pragma once

#include <cmath>
#include <numeric>

#include "subspan/orthonormalize.hpp"
#include "subspan/psd_source.hpp"
#include "subspan/residual_diagonal.hpp"
#include "subspan/sampling.hpp"
#include "subspan/skeleton.hpp"

namespace subspan {

enum class CholeskyPivots : int {
    Robust = 0,     // a block without replacement, probability proportional to d, then the filter
    Rejection = 1,  // with replacement, kept by rejection: the law of one random pivot at a time
    Greedy = 2,     // the largest d
    Uniform = 3,    // uniformly random, whatever d
};

struct CholeskyOptions {
    index rank = 0;        // at most this many pivots
    double tolerance = 0;  // trace of the error to stop at; 0 for none
    index block = 1;       // candidates per round
    CholeskyPivots pivots = CholeskyPivots::Robust;
    StreamId sampling;
};

template <class T, Exec E>
struct PartialCholesky {
    index rank = 0;
    std::vector<index> pivots;  // in the order chosen; F[pivots, :] is lower triangular
    StopReason stop = StopReason::Rank;
    std::vector<HistoryEntry> history;  // residual: the trace of the error
    index entries = 0;                  // of K that were asked for, its diagonal included
    Buffer<T, E> factor;                // n-by-capacity
    index capacity = 0;

    MatrixView<T> F(index n) const { return factor.matrix(n, capacity).columns(0, rank); }
};

/// d[j] -= ||W(j, :)||^2, which may fall below zero: that is looked at.
template <class T>
struct DowndateDiagonal {
    MatrixView<T> W;
    double* d;
    SUBSPAN_HD void operator()(index j) const {
        double taken = 0;
        for (index r = 0; r < W.cols; ++r) taken += squared_abs(W(j, r));
        d[j] -= taken;
    }
};

/// Row rows[i] of W becomes row i of R^H; zero without an R.
template <class T>
struct TriangleRow {
    MatrixView<T> W, R;
    const index* rows;
    SUBSPAN_HD void operator()(index i) const {
        for (index r = 0; r < W.cols; ++r)
            W(rows[i], r) = R.data != nullptr && r <= i ? conjugate(R(r, i)) : T(0);
    }
};

namespace detail {

template <class T, class E, class S>
class CholeskyPivoter {
  public:
    /// `diagonal`: diag(K), real and not negative, on the host.
    CholeskyPivoter(E& ex, const S& K, const std::vector<double>& diagonal,
                    const CholeskyOptions& options)
        : ex_(ex),
          K_(K),
          options_(options),
          n_(K.rows),
          d_(diagonal),
          open_(diagonal.size(), true),
          device_d_(upload<double>(ex, diagonal)) {
        out_.entries = n_;
        reserve(std::min(options.rank, std::max<index>(2 * options.block, 64)));
    }

    PartialCholesky<T, E> run() {
        double left = d_.trace;
        out_.history.push_back({0, left, true, 0, 0});
        if (left <= options_.tolerance) out_.stop = StopReason::Tolerance;
        for (index round = 0; out_.rank < options_.rank && out_.stop == StopReason::Rank; ++round) {
            const auto candidates = propose(round);
            if (candidates.empty()) {
                out_.stop = StopReason::Exhausted;
                break;
            }
            const index added = extend(candidates, round);
            if (added == 0) {  // noise, all of them
                for (const index j : candidates) open_[static_cast<std::size_t>(j)] = false;
                continue;
            }
            left = d_.sum_without(out_.pivots);
            if (left <= options_.tolerance) left = recompute();
            out_.history.push_back(
                {out_.rank, left, true, added, static_cast<index>(candidates.size())});
            if (left <= options_.tolerance) {
                out_.stop = StopReason::Tolerance;
                trim(left, added);
            }
            ex_.poll();
        }
        out_.history.back().residual = recompute();
        return std::move(out_);
    }

  private:
    bool can_be_pivot(std::size_t j) const {
        return open_[j] && d_.left[j] > d_.noise(j, out_.rank);
    }

    std::vector<index> propose(index round) const {
        std::vector<double> weights(d_.left.size(), 0.0);
        double total = 0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
            if (!can_be_pivot(j)) continue;
            weights[j] = options_.pivots == CholeskyPivots::Uniform ? 1.0 : d_.left[j] / d_.largest;
            total += weights[j];
        }
        if (!(total > 0)) return {};
        const index count = std::min(options_.block, options_.rank - out_.rank);
        switch (options_.pivots) {
            case CholeskyPivots::Greedy:
                return largest(weights, count);
            case CholeskyPivots::Rejection:
                return sample_with_replacement(weights, count, options_.sampling, round);
            default:
                return sample_without_replacement(weights, count, options_.sampling, round);
        }
    }

    /// Chooses among the candidates and appends the columns of F; returns how many.
    index extend(const std::vector<index>& candidates, index round) {
        std::vector<index> pivots;
        for (const index p : filter(candidates, round))
            pivots.push_back(candidates[static_cast<std::size_t>(p)]);
        if (pivots.empty()) return 0;
        index added = static_cast<index>(pivots.size());
        reserve(out_.rank + added);
        const auto T_ = upload<index>(ex_, pivots);
        const auto G = memory().columns(out_.rank, added);
        hermitian_columns(ex_, K_, T_.data(), G);
        out_.entries += n_ * added;
        subtract(F(), T_.data(), G);

        Buffer<T, E> triangle(ex_, added * added);
        auto R = triangle.matrix(added, added);
        added = factor(G, T_.data(), pivots, R);
        if (added == 0) return 0;
        pivots.resize(static_cast<std::size_t>(added));
        R = R.block(0, 0, added, added);
        const auto Fn = G.columns(0, added);
        trsm<T>(ex_, Side::Right, Uplo::Upper, Op::None, Diag::NonUnit, R, Fn);
        parallel_for(ex_, n_, DowndateDiagonal<T>{Fn, device_d_.data()}, added);
        clean(Fn, R, pivots);
        out_.pivots.insert(out_.pivots.end(), pivots.begin(), pivots.end());
        out_.rank += added;
        for (const index j : pivots) open_[static_cast<std::size_t>(j)] = false;
        look_at_diagonal();
        return added;
    }

    /// Positions in `candidates` of those to keep, in order.
    std::vector<index> filter(const std::vector<index>& candidates, index round) {
        const index c = static_cast<index>(candidates.size());
        if (c == 1) return {0};
        Buffer<T, E> memory(ex_, c * c);
        const auto H = memory.matrix(c, c);
        const auto J = upload<index>(ex_, candidates);
        hermitian_block(ex_, K_, J.data(), H);
        out_.entries += c * c;
        d_.require_hermitian(fetch(ex_, memory.data(), c * c), candidates);
        if (out_.rank > 0) {
            Buffer<T, E> rows(ex_, c * out_.rank);
            const auto FJ = rows.matrix(c, out_.rank);
            for_each_entry(ex_, c, out_.rank, GatherRowEntry<T>{F(), FJ, J.data()});
            subtract(FJ, J.data(), H);
        }
        using Wide = std::conditional_t<is_complex<T>, std::complex<double>, double>;
        std::vector<Wide> wide;  // scaled, since the filters square
        for (const T x : fetch(ex_, memory.data(), c * c)) wide.push_back(Wide(x) / d_.largest);
        if (options_.pivots == CholeskyPivots::Rejection)
            return rejection_filter(std::move(wide), c, options_.sampling, round);
        const double rounding = 100 * static_cast<double>(c) * eps<T>;
        const double nominal = 1 / static_cast<double>(options_.block);
        const bool robust = options_.pivots != CholeskyPivots::Uniform;
        return robust_filter(std::move(wide), c, std::max(rounding, robust ? nominal : 0.0));
    }

    /// C -= rows F[T, :]^H, C being the entries of K in the rows that `rows` has of F.
    void subtract(MatrixView<T> rows, const index* chosen, MatrixView<T> C) {
        if (out_.rank == 0) return;
        Buffer<T, E> memory(ex_, C.cols * out_.rank);
        const auto FT = memory.matrix(C.cols, out_.rank);
        for_each_entry(ex_, C.cols, out_.rank, GatherRowEntry<T>{F(), FT, chosen});
        gemm<T>(ex_, Op::None, Op::ConjTrans, T(-1), rows, FT, T(1), C);
    }

    /// R^H R = G[T, :] for as many leading pivots as are above noise; returns how many.
    index factor(MatrixView<T> G, const index* T_, const std::vector<index>& pivots,
                 MatrixView<T> R) {
        Buffer<index, E> info(ex_, 1);
        index count = R.cols;
        while (count > 0) {
            const auto leading = R.block(0, 0, count, count);
            for_each_entry(ex_, count, count, GatherRowEntry<T>{G, leading, T_});
            cholesky<T>(ex_, leading, info.data());
            const index failed = fetch(ex_, info.data(), 1)[0];
            if (failed == 0) break;
            count = failed - 1;
        }
        for_each_entry(ex_, count, count, UpperTriangleEntry<T>{R});
        const auto pivot = abs_diagonal(ex_, R.block(0, 0, count, count));
        for (index i = 0; i < count; ++i) {
            const auto at = static_cast<std::size_t>(i);
            if (!(pivot[at] * pivot[at] >
                  d_.noise(static_cast<std::size_t>(pivots[at]), out_.rank)))
                return i;
        }
        return count;
    }

    /// Refuses a K whose residual diagonal falls further below zero than rounding can explain.
    void look_at_diagonal() {
        const auto lowest = d_.observe(fetch(ex_, device_d_.data(), n_));
        if (lowest.relative <= clearly_wrong<T>() ||
            -d_.left[lowest.row] <= 1e3 * eps<T> * amplified(lowest.row))
            return;
        const bool chosen = std::count(out_.pivots.begin(), out_.pivots.end(), lowest.row) > 0;
        if (chosen)  // reproduced exactly, unless row and column differ
            throw InvalidArgument(message("K must be Hermitian, but row ", lowest.row,
                                          " is not the conjugate of column ", lowest.row));
        throw NumericalError(message("K is not positive semidefinite: with ", out_.rank,
                                     " columns eliminated, diagonal entry ", lowest.row,
                                     " falls from ", d_.of_K[lowest.row], " to ",
                                     d_.left[lowest.row]));
    }

    /// (sqrt(K_ii) + sum_s |W_is| sqrt(K_ss))^2 with K_i: ~ W K_S:, W = F_i F_S^-1: errors of size
    /// eps sqrt(K_ss K_tt) in the chosen columns change d_i by eps times that.
    double amplified(std::size_t i) {
        const index k = out_.rank;
        std::vector<index> rows = out_.pivots;
        rows.push_back(static_cast<index>(i));
        const auto order = upload<index>(ex_, rows);
        Buffer<T, E> memory(ex_, (k + 1) * k);
        for_each_entry(ex_, k + 1, k,
                       GatherRowEntry<T>{F(), memory.matrix(k + 1, k), order.data()});
        const auto values = fetch(ex_, memory.data(), (k + 1) * k);
        const auto at = [&](index r, index c) {
            return values[static_cast<std::size_t>(r + c * (k + 1))];
        };
        std::vector<T> w(static_cast<std::size_t>(k));
        double total = std::sqrt(d_.of_K[i]);
        for (index c = k - 1; c >= 0; --c) {  // W F_S = F_i, F_S lower triangular
            T sum = at(k, c);
            for (index r = c + 1; r < k; ++r) sum -= w[static_cast<std::size_t>(r)] * at(r, c);
            w[static_cast<std::size_t>(c)] = sum / at(c, c);
            const auto s = static_cast<std::size_t>(out_.pivots[static_cast<std::size_t>(c)]);
            total += static_cast<double>(std::abs(w[static_cast<std::size_t>(c)])) *
                     std::sqrt(d_.of_K[s]);
        }
        return total * total;
    }

    /// What exact arithmetic would give: zeros in the rows chosen before, R^H in those of this round.
    void clean(MatrixView<T> Fn, MatrixView<T> R, const std::vector<index>& pivots) {
        const auto earlier = upload<index>(ex_, out_.pivots), fresh = upload<index>(ex_, pivots);
        parallel_for(ex_, earlier.size(), TriangleRow<T>{Fn, {}, earlier.data()});
        parallel_for(ex_, fresh.size(), TriangleRow<T>{Fn, R, fresh.data()});
    }

    /// d from K and F at once, free of what repeated subtraction has lost. Returns its sum.
    double recompute() {
        if (out_.rank == 0) return d_.sum_without({});
        Buffer<double, E> norms(ex_, n_);
        parallel_for(ex_, n_, RowNorm<T>{F(), norms.data()}, out_.rank);
        d_.left = fetch(ex_, norms.data(), n_);
        for (std::size_t j = 0; j < d_.left.size(); ++j) d_.left[j] = d_.of_K[j] - d_.left[j];
        ex_.copy_to_device(device_d_.data(), d_.left.data(), d_.left.size() * sizeof(double));
        return d_.sum_without(out_.pivots);
    }

    /// Drops the last pivots while the tolerance holds without them: the trace grows by the squared
    /// norm of the dropped column of F.
    void trim(double left, index added) {
        Buffer<double, E> norms(ex_, added);
        parallel_for(ex_, added,
                     ColumnNorm<T>{memory().columns(out_.rank - added, added), norms.data()}, n_);
        const auto energy = fetch(ex_, norms.data(), added);
        while (added > 0 &&
               left + energy[static_cast<std::size_t>(added - 1)] <= options_.tolerance) {
            left += energy[static_cast<std::size_t>(--added)];
            --out_.rank;
        }
        out_.pivots.resize(static_cast<std::size_t>(out_.rank));
        out_.history.back().rank = out_.rank;
        out_.history.back().accepted = added;
    }

    MatrixView<T> memory() const { return out_.factor.matrix(n_, out_.capacity); }
    MatrixView<T> F() const { return out_.F(n_); }

    void reserve(index columns) {
        if (columns <= out_.capacity) return;
        columns = std::min(std::max(columns, 2 * out_.capacity), std::max(options_.rank, columns));
        Buffer<T, E> larger(ex_, n_ * columns);
        if (out_.rank > 0) copy<E, T>(ex_, F(), larger.matrix(n_, columns).columns(0, out_.rank));
        out_.factor = std::move(larger);
        out_.capacity = columns;
    }

    E& ex_;
    const S& K_;
    CholeskyOptions options_;
    index n_;
    ResidualDiagonal<T> d_;
    std::vector<bool> open_;  // neither chosen nor found to be noise
    Buffer<double, E> device_d_;
    PartialCholesky<T, E> out_;
};

}  // namespace detail

template <class T, class E, class S>
PartialCholesky<T, E> pivoted_cholesky(E& ex, const S& K, const std::vector<double>& diagonal,
                                       const CholeskyOptions& options) {
    return detail::CholeskyPivoter<T, E, S>(ex, K, diagonal, options).run();
}

}  // namespace subspan
