// Partial Cholesky factorization K ~ F F^H of a positive semidefinite matrix by chosen columns:
// randomly pivoted Cholesky (Chen, Epperly, Tropp, Webber, arXiv 2207.06503), its robust blockwise
// form (filter of 2309.16002), its accelerated form (2410.03969), greedy and uniform pivots.
//
// d = diag(K - F F^H) is kept; its sum is the trace, and hence the nuclear norm, of the error. Only
// the entries of the chosen columns and of the blocks of candidates are asked for:
//
//   propose J by d;  H = K[J, J] - F_J F_J^H;  keep the pivots T of H;  G = K[:, T] - F F_T^H;
//   R^H R = G[T, :];  F = [F, G R^-1];  d_j -= sum of the squares of the new entries of row j.
//
// d is not clipped on the device. In exact arithmetic it is not negative; how far below zero it falls,
// relative to diag(K), shows how much of it is noise: rounding, or a K that is not quite what it
// should be. Diagonal entries below that level are never pivots; a large one is an error.
#pragma once

#include <cmath>
#include <numeric>

#include "subspan/orthonormalize.hpp"
#include "subspan/psd_source.hpp"
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
          diagonal_(diagonal),
          left_(diagonal),
          open_(diagonal.size(), true),
          d_(upload<double>(ex, diagonal)) {
        trace_ = std::accumulate(diagonal.begin(), diagonal.end(), 0.0);
        largest_ = n_ > 0 ? *std::max_element(diagonal.begin(), diagonal.end()) : 0.0;
        out_.entries = n_;
        reserve(std::min(options.rank, std::max<index>(2 * options.block, 64)));
    }

    PartialCholesky<T, E> run() {
        double left = trace_;
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
            left = residual();
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
    /// Level below which d_j / K_jj is noise: what rounding of k products leaves, or what was seen.
    double noise() const {
        const double k = static_cast<double>(out_.rank);
        return std::max((8 + 2 * std::sqrt(k)) * eps<T>, 2 * below_zero_);
    }

    bool can_be_pivot(std::size_t j) const { return open_[j] && left_[j] > noise() * diagonal_[j]; }

    std::vector<index> propose(index round) const {
        std::vector<double> weights(left_.size(), 0.0);
        double total = 0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
            if (!can_be_pivot(j)) continue;
            weights[j] = options_.pivots == CholeskyPivots::Uniform ? 1.0 : left_[j] / largest_;
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
        parallel_for(ex_, n_, Downdate{Fn, d_.data()}, added);
        look_at_diagonal(pivots);
        clean(Fn, R, pivots);
        out_.pivots.insert(out_.pivots.end(), pivots.begin(), pivots.end());
        out_.rank += added;
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
        check_hermitian(fetch(ex_, memory.data(), c * c), candidates);
        if (out_.rank > 0) {
            Buffer<T, E> rows(ex_, c * out_.rank);
            const auto FJ = rows.matrix(c, out_.rank);
            for_each_entry(ex_, c, out_.rank, GatherRowEntry<T>{F(), FJ, J.data()});
            subtract(FJ, J.data(), H);
        }
        using Wide = std::conditional_t<is_complex<T>, std::complex<double>, double>;
        std::vector<Wide> wide;  // scaled, since the filters square
        for (const T x : fetch(ex_, memory.data(), c * c)) wide.push_back(Wide(x) / largest_);
        if (options_.pivots == CholeskyPivots::Rejection)
            return rejection_filter(std::move(wide), c, options_.sampling, round);
        const double rounding = 100 * static_cast<double>(c) * eps<T>;
        const double nominal = 1 / static_cast<double>(options_.block);
        const bool robust = options_.pivots != CholeskyPivots::Uniform;
        return robust_filter(std::move(wide), c, std::max(rounding, robust ? nominal : 0.0));
    }

    void check_hermitian(const std::vector<T>& H, const std::vector<index>& J) const {
        const std::size_t c = J.size();
        for (std::size_t j = 0; j < c; ++j)
            for (std::size_t i = 0; i <= j; ++i) {
                const T x = H[i + j * c], y = H[j + i * c];
                const double apart = static_cast<double>(std::abs(x - conjugate(y)));
                const auto a = static_cast<std::size_t>(J[i]), b = static_cast<std::size_t>(J[j]);
                // |x|^2 <= K_aa K_bb for a semidefinite K.
                const double size = std::sqrt(diagonal_[a]) * std::sqrt(diagonal_[b]);
                if (!std::isfinite(apart))
                    throw InvalidArgument(
                        message("K must be finite, but K[", a, ", ", b, "] or its mirror is not"));
                if (apart > clear() * size)
                    throw InvalidArgument(message("K must be Hermitian, but K[", a, ", ", b,
                                                  "] and K[", b, ", ", a, "] differ by ", apart));
            }
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
            const double floor = noise() * diagonal_[static_cast<std::size_t>(pivots[at])];
            if (!(pivot[at] * pivot[at] > floor)) return i;
        }
        return count;
    }

    struct Downdate {
        MatrixView<T> W;
        double* d;
        SUBSPAN_HD void operator()(index j) const {
            double taken = 0;
            for (index r = 0; r < W.cols; ++r) taken += squared_abs(W(j, r));
            d[j] -= taken;
        }
    };

    /// What is wrong beyond rounding: entries that are no number, a diagonal clearly below zero.
    void look_at_diagonal(const std::vector<index>& pivots) {
        left_ = fetch(ex_, d_.data(), n_);
        for (std::size_t j = 0; j < left_.size(); ++j) {
            if (!std::isfinite(left_[j]))
                throw InvalidArgument(message("K must be finite, but it is not in row ", j,
                                              " of the columns chosen in this round, the first of "
                                              "them column ",
                                              pivots[0]));
            if (left_[j] >= -eps<T> * largest_ * eps<T>) continue;
            const double below = -left_[j] / std::max(diagonal_[j], eps<T> * largest_);
            if (below > clear()) refuse(j, pivots);
            below_zero_ = std::max(below_zero_, below);
        }
        for (const index j : pivots) open_[static_cast<std::size_t>(j)] = false;
    }

    [[noreturn]] void refuse(std::size_t j, const std::vector<index>& pivots) const {
        const bool chosen = !open_[j];
        if (chosen)  // its row is reproduced exactly, unless it differs from its column
            throw InvalidArgument(
                message("K must be Hermitian, but row ", j, " is not the conjugate of column ", j));
        throw NumericalError(message("K is not positive semidefinite: with ",
                                     out_.rank + static_cast<index>(pivots.size()),
                                     " columns eliminated, diagonal entry ", j, " falls from ",
                                     diagonal_[j], " to ", left_[j]));
    }

    /// Relative size from which an inconsistency is an error of the caller rather than noise.
    static double clear() { return std::cbrt(eps<T>); }

    /// Row rows[i] of W becomes row i of R^H; zero without an R.
    struct TriangleRow {
        MatrixView<T> W, R;
        const index* rows;
        SUBSPAN_HD void operator()(index i) const {
            for (index r = 0; r < W.cols; ++r)
                W(rows[i], r) = R.data != nullptr && r <= i ? conjugate(R(r, i)) : T(0);
        }
    };

    /// What exact arithmetic would give: zeros in the rows chosen before, R^H in those of this round.
    void clean(MatrixView<T> Fn, MatrixView<T> R, const std::vector<index>& pivots) {
        const auto earlier = upload<index>(ex_, out_.pivots), fresh = upload<index>(ex_, pivots);
        parallel_for(ex_, earlier.size(), TriangleRow{Fn, {}, earlier.data()});
        parallel_for(ex_, fresh.size(), TriangleRow{Fn, R, fresh.data()});
    }

    /// Sum of d over the rows that were not chosen; the others are reproduced.
    double residual() const {
        std::vector<bool> chosen(left_.size(), false);
        for (const index j : out_.pivots) chosen[static_cast<std::size_t>(j)] = true;
        double total = 0;
        for (std::size_t j = 0; j < left_.size(); ++j)
            if (!chosen[j]) total += std::max(0.0, left_[j]);
        return total;
    }

    /// d from K and F at once, free of what repeated subtraction has lost. Returns its sum.
    double recompute() {
        if (out_.rank == 0) return residual();
        Buffer<double, E> norms(ex_, n_);
        parallel_for(ex_, n_, RowNorm<T>{F(), norms.data()}, out_.rank);
        left_ = fetch(ex_, norms.data(), n_);
        for (std::size_t j = 0; j < left_.size(); ++j) left_[j] = diagonal_[j] - left_[j];
        ex_.copy_to_device(d_.data(), left_.data(), left_.size() * sizeof(double));
        return residual();
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
    double trace_ = 0, largest_ = 0;
    double below_zero_ = 0;         // largest -d_j / K_jj seen
    std::vector<double> diagonal_;  // of K
    std::vector<double> left_;      // of K - F F^H: d on the host
    std::vector<bool> open_;        // neither chosen nor found to be noise
    Buffer<double, E> d_;
    PartialCholesky<T, E> out_;
};

}  // namespace detail

template <class T, class E, class S>
PartialCholesky<T, E> pivoted_cholesky(E& ex, const S& K, const std::vector<double>& diagonal,
                                       const CholeskyOptions& options) {
    return detail::CholeskyPivoter<T, E, S>(ex, K, diagonal, options).run();
}

}  // namespace subspan
