// Random choices from given weights, and the robust filter of a block of candidates.
//
// Both work on data that is small and already on the host: n weights, or a Gram matrix of one block.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <vector>

#include "subspan/kernels.hpp"
#include "subspan/philox.hpp"

namespace subspan {

/// Uniform in (0, 1) number j of repetition t.
inline double uniform_at(const StreamId& id, Stream stream, index j, index t) {
    const auto position = static_cast<std::uint64_t>(j);
    const Words4 x = words_at(id, stream, static_cast<std::uint64_t>(t), position / 2);
    return position % 2 == 0 ? uniform53(x.w[0], x.w[1]) : uniform53(x.w[2], x.w[3]);
}

/// The indices of the `count` smallest keys, smallest first; ties go to the smaller index.
inline std::vector<index> smallest(const std::vector<double>& keys, index count) {
    std::vector<index> order(keys.size());
    std::iota(order.begin(), order.end(), index{0});
    const auto before = [&](index a, index b) {
        const double ka = keys[static_cast<std::size_t>(a)], kb = keys[static_cast<std::size_t>(b)];
        return ka < kb || (ka == kb && a < b);
    };
    const auto end = order.begin() + std::min<index>(count, static_cast<index>(order.size()));
    if (end != order.end()) std::nth_element(order.begin(), end, order.end(), before);
    std::sort(order.begin(), end, before);
    order.erase(end, order.end());
    return order;
}

/// `count` distinct indices drawn without replacement with probability proportional to `weights`
/// (fewer if fewer are positive), in the order drawn: the exponential race of Efraimidis and
/// Spirakis, key_j = -log(1 - u_j) / w_j, equal in law to successive draws.
inline std::vector<index> sample_without_replacement(const std::vector<double>& weights,
                                                     index count, const StreamId& id, index t) {
    std::vector<double> keys(weights.size(), std::numeric_limits<double>::infinity());
    index positive = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
        if (!(weights[j] > 0)) continue;
        ++positive;
        const double u = uniform_at(id, Stream::WeightedSampling, static_cast<index>(j), t);
        keys[j] = -std::log1p(-u) / weights[j];
    }
    return smallest(keys, std::min(count, positive));
}

/// The `count` indices of largest positive weight, largest first.
inline std::vector<index> largest(const std::vector<double>& weights, index count) {
    std::vector<double> keys(weights.size());
    index positive = 0;
    for (std::size_t j = 0; j < weights.size(); ++j) {
        keys[j] = weights[j] > 0 ? -weights[j] : std::numeric_limits<double>::infinity();
        positive += weights[j] > 0;
    }
    return smallest(keys, std::min(count, positive));
}

/// `count` independent draws with probability proportional to `weights`.
inline std::vector<index> sample_with_replacement(const std::vector<double>& weights, index count,
                                                  const StreamId& id, index t) {
    std::vector<double> cumulative(weights.size());
    std::partial_sum(weights.begin(), weights.end(), cumulative.begin());
    std::vector<index> drawn(static_cast<std::size_t>(count));
    for (index i = 0; i < count; ++i) {
        const double x = uniform_at(id, Stream::WeightedSampling, i, t) * cumulative.back();
        auto at = std::upper_bound(cumulative.begin(), cumulative.end(), x);
        if (at == cumulative.end()) --at;
        drawn[static_cast<std::size_t>(i)] = at - cumulative.begin();
    }
    return drawn;
}

/// Pivoted Cholesky of the Gram matrix H of a block of projected candidates (c-by-c, column-major),
/// which picks the pivots that column-pivoted QR of the block would: 2309.16002, robust filtering.
/// Positions are accepted until the energy left is below `tau` times the block's energy.
template <class C>
std::vector<index> robust_filter(std::vector<C> H, index c, double tau) {
    std::vector<double> d(static_cast<std::size_t>(c));
    const auto at = [c](index i, index j) { return static_cast<std::size_t>(i + j * c); };
    for (index j = 0; j < c; ++j) d[static_cast<std::size_t>(j)] = std::real(H[at(j, j)]);
    const double total = std::accumulate(d.begin(), d.end(), 0.0);
    std::vector<index> accepted;
    double left = total;
    while (static_cast<index>(accepted.size()) < c && left > 0) {
        const auto p = static_cast<index>(std::max_element(d.begin(), d.end()) - d.begin());
        if (!(d[static_cast<std::size_t>(p)] > 0)) break;
        accepted.push_back(p);
        // Eliminate p: H -= H[:, p] H[p, :] / H[p, p]; the diagonal is kept apart and clipped.
        const double pivot = d[static_cast<std::size_t>(p)];
        std::vector<C> column(static_cast<std::size_t>(c));
        for (index i = 0; i < c; ++i) column[static_cast<std::size_t>(i)] = H[at(i, p)];
        for (index j = 0; j < c; ++j) {
            const C factor = conjugate(column[static_cast<std::size_t>(j)]) / pivot;
            for (index i = 0; i < c; ++i)
                H[at(i, j)] -= column[static_cast<std::size_t>(i)] * factor;
            d[static_cast<std::size_t>(j)] =
                std::max(0.0, d[static_cast<std::size_t>(j)] -
                                  std::norm(column[static_cast<std::size_t>(j)]) / pivot);
        }
        d[static_cast<std::size_t>(p)] = 0;
        left = std::accumulate(d.begin(), d.end(), 0.0);
        if (left < tau * total) break;
    }
    return accepted;
}

/// Acceptance scan of accelerated random pivoting (2410.03969): candidate j, drawn with weight
/// proportional to u_j, is kept with probability H_jj / u_j, where H is what the accepted ones leave.
/// The accepted candidates have the law of sequential random pivoting.
template <class C>
std::vector<index> rejection_filter(std::vector<C> H, index c, const StreamId& id, index t) {
    const auto at = [c](index i, index j) { return static_cast<std::size_t>(i + j * c); };
    std::vector<double> u(static_cast<std::size_t>(c));
    for (index j = 0; j < c; ++j) u[static_cast<std::size_t>(j)] = std::real(H[at(j, j)]);
    std::vector<index> accepted;
    for (index j = 0; j < c; ++j) {
        const double left = std::real(H[at(j, j)]);
        const double threshold =
            uniform_at(id, Stream::Rejection, j, t) * u[static_cast<std::size_t>(j)];
        if (!(left > 0) || threshold >= left) continue;
        accepted.push_back(j);
        for (index q = j + 1; q < c; ++q) {
            const C factor = H[at(j, q)] / left;
            for (index i = j + 1; i < c; ++i) H[at(i, q)] -= H[at(i, j)] * factor;
        }
    }
    return accepted;
}

/// chi-squared quantile over its degrees of freedom, by Wilson and Hilferty's cube; z is the normal
/// quantile of the same probability (-3.09 for 1e-3).
inline double chi2_quantile_ratio(index degrees, double z) {
    const double v = 2.0 / (9.0 * static_cast<double>(degrees));
    const double cube = 1.0 - v + z * std::sqrt(v);
    return cube > 0 ? cube * cube * cube : 0.0;
}

}  // namespace subspan
