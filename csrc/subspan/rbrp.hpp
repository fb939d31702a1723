// Blockwise pivoting on A itself: robust blockwise random pivoting (RBRP, arXiv 2309.16002), its
// plain and greedy relatives, sequential and accelerated random pivoting, column-pivoted QR.
//
// All keep an orthonormal basis Q of the chosen columns, the rows R = Q^H A and the squared residual
// norms d of the columns, so the error sqrt(sum d) is revealed at every step and the coefficients are
// R11^-1 R12, the least-squares ones. A is read, never written. The variants differ only in how a
// block of candidates is proposed and which of them are kept.
//
// d is downdated. Where that has used up the digits of d_j, it is recomputed, or estimated from a
// sketch of the residual where it is a sampling weight. The error that is reported in the end is
// computed from A.
#pragma once

#include "subspan/orthonormalize.hpp"
#include "subspan/sampling.hpp"
#include "subspan/skeleton.hpp"
#include "subspan/sketched_residual.hpp"

namespace subspan {

enum class Proposal : int {
    Random = 0,     // without replacement, probability proportional to d
    Greedy = 1,     // the largest d
    Rejection = 2,  // with replacement; kept by rejection, the law of sequential random pivoting
};

struct BlockPivoting {
    Proposal proposal = Proposal::Random;
    bool robust = true;  // keep only what the filter accepts; false: everything above rounding
    double tau = -1;     // filter threshold; negative: 1 / block
};

/// Zeros in row rows[i] of W, all of it or what lies right of entry i.
template <class T>
struct ZeroTail {
    MatrixView<T> W;
    const index* rows;
    index keep;  // row i keeps its first i + keep + 1 entries; -1: none
    SUBSPAN_HD void operator()(index i) const {
        for (index r = keep < 0 ? 0 : i + 1; r < W.cols; ++r) W(rows[i], r) = T(0);
    }
};

/// d[rows[i]] = 0.
struct ZeroNorm {
    double* d;
    const index* rows;
    SUBSPAN_HD void operator()(index i) const { d[rows[i]] = 0; }
};

namespace detail {

template <class T, class E, class S>
class BlockPivoter {
  public:
    BlockPivoter(E& ex, const S& A, const SelectOptions& options, const BlockPivoting& variant)
        : ex_(ex),
          A_(A),
          options_(options),
          variant_(variant),
          n_(A.cols),
          alive_(static_cast<std::size_t>(n_), true),
          estimated_(static_cast<std::size_t>(n_), false),
          d_(ex, n_) {
        first_pass(ex, A, resized(options.sketch, 0), options, out_, d_.data());
        norms2_ = reference_ = fetch(ex, d_.data(), n_);
        tolerance2_ = std::max(options.tolerance, options.relative * std::sqrt(out_.norm2));
        tolerance2_ *= tolerance2_;
        reserve(std::min(options.rank, std::max<index>(2 * options.block, 64)));
    }

    Skeleton<T, E> run() {
        std::vector<double> d = reference_;
        double left = out_.norm2;
        out_.history.push_back({0, std::sqrt(left), true, 0, 0});
        out_.stop =
            left <= tolerance2_ && tolerance2_ > 0 ? StopReason::Tolerance : StopReason::Rank;
        for (index round = 0; rank_ < options_.rank && out_.stop == StopReason::Rank; ++round) {
            const index proposed = std::min(options_.block, options_.rank - rank_);
            const auto candidates = propose(d, proposed, round);
            const auto accepted =
                candidates.empty() ? std::vector<index>{} : extend(candidates, d, round);
            if (accepted.empty() &&
                (candidates.empty() || variant_.proposal != Proposal::Rejection)) {
                out_.stop = StopReason::Exhausted;
                break;
            }
            d = fetch(ex_, d_.data(), n_);
            left = refresh(d);
            const double noise = 8 * eps<T>;
            if (left <= static_cast<double>(std::max(A_.rows, n_)) * noise * noise * out_.norm2)
                out_.stop = StopReason::Exhausted;
            if (left <= tolerance2_) left = settle(d, left);
            const auto added = static_cast<index>(accepted.size());
            out_.history.push_back({rank_, std::sqrt(left), !any_estimated(), added,
                                    static_cast<index>(candidates.size())});
            if (left <= tolerance2_ && tolerance2_ > 0) {
                out_.stop = StopReason::Tolerance;
                trim(left, added);
            }
            ex_.poll();
        }
        return finish(d);
    }

  private:
    std::vector<index> propose(const std::vector<double>& d, index count, index round) const {
        switch (variant_.proposal) {
            case Proposal::Greedy:
                return largest(d, count);
            case Proposal::Rejection: {
                double total = 0;
                for (const double x : d) total += x;
                return total > 0 ? sample_with_replacement(d, count, options_.sampling, round)
                                 : std::vector<index>{};
            }
            default:
                return sample_without_replacement(d, count, options_.sampling, round);
        }
    }

    /// Projects the candidates, filters them, and appends the kept ones to Q and R.
    std::vector<index> extend(const std::vector<index>& candidates, const std::vector<double>& d,
                              index round) {
        const index c = static_cast<index>(candidates.size()), m = A_.rows;
        Buffer<T, E> block(ex_, m * c);
        const auto V = block.matrix(m, c);
        const auto J = upload<index>(ex_, candidates);
        gather_columns(ex_, A_, J.data(), V);
        project_out(ex_, basis(), V);
        if (far_below(candidates, d))
            project_out(ex_, basis(), V);  // one loses orthogonality as residuals shrink

        const auto kept = filter(V, round);
        const index added = static_cast<index>(kept.size());
        if (added == 0) return {};
        std::vector<index> pivots;
        for (const index p : kept) pivots.push_back(candidates[static_cast<std::size_t>(p)]);
        reserve(rank_ + added);
        const auto Qn = Q().columns(rank_, added);
        const auto positions = upload<index>(ex_, kept);
        gather_columns(ex_, dense_source<T>(V), positions.data(), Qn);
        Buffer<T, E> triangle(ex_, added * added);
        const auto R = triangle.matrix(added, added);
        orthonormalize<E, T>(ex_, Qn, R);
        if (rank_ > 0) {
            project_out(ex_, basis(), Qn);
            orthonormalize<E, T>(ex_, Qn, R);
        }
        append_rows(Qn, pivots);
        return pivots;
    }

    /// Whether the residual of a column is so small that one projection leaves a visible part of it
    /// inside the span of Q: eps ||a_j|| beside sqrt(d_j). (What is kept is projected once more.)
    bool far_below(const std::vector<index>& columns, const std::vector<double>& d) const {
        return std::any_of(columns.begin(), columns.end(), [&](index j) {
            const auto at = static_cast<std::size_t>(j);
            return d[at] <= 1e4 * eps<T> * norms2_[at];
        });
    }

    std::vector<index> filter(MatrixView<T> V, index round) {
        const index c = V.cols;
        if (c == 1) return {0};
        Buffer<T, E> memory(ex_, c * c);
        gram<T>(ex_, V, memory.matrix(c, c));
        const auto values = fetch(ex_, memory.data(), c * c);
        using Wide = std::conditional_t<is_complex<T>, std::complex<double>, double>;
        std::vector<Wide> H(values.begin(), values.end());
        if (variant_.proposal == Proposal::Rejection)
            return rejection_filter(std::move(H), c, options_.sampling, round);
        const double rounding = 100 * static_cast<double>(c) * eps<T>;
        const double nominal =
            variant_.tau >= 0 ? variant_.tau : 1 / static_cast<double>(options_.block);
        return robust_filter(std::move(H), c, std::max(rounding, variant_.robust ? nominal : 0.0));
    }

    /// W = Qn^H A, kept transposed; entries that are zero in exact arithmetic are set to zero.
    void append_rows(MatrixView<T> Qn, const std::vector<index>& pivots) {
        const index added = Qn.cols;
        const auto W = Rt().columns(rank_, added);
        project(ex_, A_, Qn, W);
        clear_triangle(W, pivots);
        parallel_for(ex_, n_, DowndateNorm<T>{W, d_.data()}, added);
        if (sketched_) sketched_.subtract(ex_, Qn, W);
        for (const index j : pivots) {
            alive_[static_cast<std::size_t>(j)] = estimated_[static_cast<std::size_t>(j)] = false;
            out_.perm.push_back(j);
        }
        clear_chosen();
        rank_ += added;
    }

    /// Zero rows of W at earlier pivots and below the diagonal at the new ones.
    void clear_triangle(MatrixView<T> W, const std::vector<index>& pivots) {
        const auto earlier = upload<index>(ex_, out_.perm);
        parallel_for(ex_, earlier.size(), ZeroTail<T>{W, earlier.data(), -1});
        const auto fresh = upload<index>(ex_, pivots);
        parallel_for(ex_, fresh.size(), ZeroTail<T>{W, fresh.data(), 0});
    }

    void clear_chosen() {
        const auto chosen = upload<index>(ex_, out_.perm);
        parallel_for(ex_, chosen.size(), ZeroNorm{d_.data(), chosen.data()});
    }

    /// What d_j may be wrong by: downdating subtracts |w|^2, and w = q^H a_j carries an error of eps
    /// ||a_j|| whatever its size.
    double uncertainty(std::size_t j) const {
        return 1e3 * eps<T> * std::sqrt(norms2_[j] * reference_[j]);
    }

    /// Where columns whose d_j has no digits left hold a visible share of the residual, theirs are
    /// computed anew: sampling weights may come from the sketch, a greedy choice or a law needs A
    /// itself. Returns sum d.
    double refresh(std::vector<double>& d) {
        double total = 0, doubtful = 0;
        std::vector<index> suspects;
        for (index j = 0; j < n_; ++j) {
            const auto at = static_cast<std::size_t>(j);
            total += d[at];
            if (!alive_[at] || estimated_[at] || reference_[at] == 0 || d[at] > uncertainty(at))
                continue;
            suspects.push_back(j);
            doubtful += uncertainty(at);
        }
        if (doubtful > 0.01 * total) {
            if (variant_.proposal == Proposal::Random)
                use_sketch(suspects);
            else
                recompute(suspects, d);
        }
        if (any_estimated()) estimate(d);
        return std::accumulate(d.begin(), d.end(), 0.0);
    }

    void use_sketch(const std::vector<index>& columns) {
        for (const index j : columns) estimated_[static_cast<std::size_t>(j)] = true;
        if (sketched_) return;
        sketched_.start(ex_, A_, options_.sampling, Q().columns(0, rank_), Rt().columns(0, rank_));
        ++out_.passes;
    }

    void estimate(std::vector<double>& d) {
        const auto estimates = sketched_.norms2(ex_);
        for (std::size_t j = 0; j < d.size(); ++j)
            if (estimated_[j]) d[j] = estimates[j];
        ex_.copy_to_device(d_.data(), d.data(), d.size() * sizeof(double));
    }

    bool any_estimated() const {
        return std::find(estimated_.begin(), estimated_.end(), true) != estimated_.end();
    }

    /// d_j = ||a_j - Q R[:, j]||^2 for the listed columns, in batches.
    void recompute(const std::vector<index>& columns, std::vector<double>& d) {
        constexpr index batch = 256;
        const index m = A_.rows, width = std::min(batch, static_cast<index>(columns.size()));
        Buffer<T, E> residual(ex_, m * width), rows(ex_, width * rank_);
        Buffer<double, E> norms(ex_, width);
        for (index first = 0; first < static_cast<index>(columns.size()); first += width) {
            const index count = std::min(width, static_cast<index>(columns.size()) - first);
            const std::vector<index> part(columns.begin() + first, columns.begin() + first + count);
            const auto J = upload<index>(ex_, part);
            const auto D = residual.matrix(m, count), C = rows.matrix(count, rank_);
            gather_columns(ex_, A_, J.data(), D);
            for_each_entry(ex_, count, C.cols,
                           GatherRowEntry<T>{Rt().columns(0, rank_), C, J.data()});
            gemm<T>(ex_, Op::None, Op::Trans, T(-1), Q().columns(0, rank_), C, T(1), D);
            parallel_for(ex_, count, ColumnNorm<T>{D, norms.data()}, m);
            const auto exact = fetch(ex_, norms.data(), count);
            for (index i = 0; i < count; ++i) {
                const auto j = static_cast<std::size_t>(part[static_cast<std::size_t>(i)]);
                d[j] = reference_[j] = exact[static_cast<std::size_t>(i)];
                estimated_[j] = false;
            }
            ex_.poll();
        }
        ex_.copy_to_device(d_.data(), d.data(), d.size() * sizeof(double));
    }

    /// Drops trailing pivots of the last block while the tolerance still holds: the residual at a
    /// smaller rank is the present one plus the energy of the dropped rows of R.
    void trim(double left, index added) {
        Buffer<double, E> norms(ex_, added);
        parallel_for(ex_, added, ColumnNorm<T>{Rt().columns(rank_ - added, added), norms.data()},
                     n_);
        const auto energy = fetch(ex_, norms.data(), added);
        while (added > 0 && left + energy[static_cast<std::size_t>(added - 1)] <= tolerance2_) {
            left += energy[static_cast<std::size_t>(--added)];
            --rank_;
        }
        out_.history.back().rank = rank_;
        out_.history.back().residual = std::sqrt(left);
    }

    /// Recomputes what is estimated, and where the sum is small what downdating has blurred, so that
    /// the error is exact to a few digits. Returns sum d, `left` if nothing changes.
    double settle(std::vector<double>& d, double left) {
        const bool small = left <= 1e4 * eps<T> * out_.norm2;
        std::vector<index> stale;
        for (index j = 0; rank_ > 0 && j < n_; ++j) {
            const auto at = static_cast<std::size_t>(j);
            if (alive_[at] && (estimated_[at] || (small && d[at] < 0.5 * reference_[at])))
                stale.push_back(j);
        }
        if (stale.empty()) return left;
        recompute(stale, d);
        return std::accumulate(d.begin(), d.end(), 0.0);
    }

    Skeleton<T, E> finish(std::vector<double>& d) {
        auto& last = out_.history.back();
        if (out_.stop != StopReason::Tolerance) {
            last.residual = std::sqrt(settle(d, last.residual * last.residual));
            last.exact = true;
        }
        out_.perm.resize(static_cast<std::size_t>(rank_));
        out_.perm = permutation_with(out_.perm, n_);
        out_.rank = rank_;
        out_.kind = FactorKind::Triangular;
        out_.factor = std::move(rt_);
        out_.factor_cols = capacity_;
        if (options_.keep_basis) out_.basis = std::move(q_);
        out_.passes += static_cast<index>(out_.history.size()) - 1;
        out_.sketch_cols = 0;
        return std::move(out_);
    }

    MatrixView<T> Q() const { return q_.matrix(A_.rows, capacity_); }
    MatrixView<T> basis() const { return Q().columns(0, rank_); }
    MatrixView<T> Rt() const { return rt_.matrix(n_, capacity_); }

    void reserve(index columns) {
        if (columns <= capacity_) return;
        columns = std::min(std::max(columns, 2 * capacity_), std::max(options_.rank, columns));
        Buffer<T, E> q(ex_, A_.rows * columns), rt(ex_, n_ * columns);
        if (rank_ > 0) {
            copy<E, T>(ex_, Q().columns(0, rank_), q.matrix(A_.rows, columns).columns(0, rank_));
            copy<E, T>(ex_, Rt().columns(0, rank_), rt.matrix(n_, columns).columns(0, rank_));
        }
        q_ = std::move(q);
        rt_ = std::move(rt);
        capacity_ = columns;
    }

    E& ex_;
    const S& A_;
    SelectOptions options_;
    BlockPivoting variant_;
    index n_, rank_ = 0, capacity_ = 0;
    double tolerance2_ = 0;
    std::vector<bool> alive_;
    std::vector<bool> estimated_;    // d comes from the sketch
    std::vector<double> norms2_;     // squared column norms of A
    std::vector<double> reference_;  // d at its last exact computation
    Buffer<double, E> d_;
    SketchedResidual<T, E> sketched_;
    Buffer<T, E> q_, rt_;  // Q (m-by-capacity), R^T (n-by-capacity)
    Skeleton<T, E> out_;
};

}  // namespace detail

template <class T, class E, class S>
Skeleton<T, E> select_blockwise(E& ex, const S& A, const SelectOptions& options,
                                const BlockPivoting& variant) {
    return detail::BlockPivoter<T, E, S>(ex, A, options, variant).run();
}

}  // namespace subspan
