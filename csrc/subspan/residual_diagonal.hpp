// The diagonal d of K - F F^H for a positive semidefinite K: its trace, its noise, and what in K it
// shows to be wrong. Small data, on the host.
//
// d is not clipped. In exact arithmetic it is not negative; how far below zero it falls shows how much
// of it is noise: rounding, or a K that is not quite what it should be. Entries of d below that level
// are never pivots; one further below than the pivots can explain is an error of the caller.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "subspan/error.hpp"
#include "subspan/orthonormalize.hpp"

namespace subspan {

template <class T>
class ResidualDiagonal {
  public:
    std::vector<double> of_K;  // real and not negative
    std::vector<double> left;  // of K - F F^H
    double trace = 0, largest = 0;

    explicit ResidualDiagonal(const std::vector<double>& diagonal)
        : of_K(diagonal),
          left(diagonal),
          trace(std::accumulate(diagonal.begin(), diagonal.end(), 0.0)),
          largest(diagonal.empty() ? 0 : *std::max_element(diagonal.begin(), diagonal.end())) {}

    /// Level below which d_j is noise: what rounding of `rank` products leaves, or what was seen below
    /// zero, relative to K_jj if that is how it scales, or absolute.
    double noise(std::size_t j, index rank) const {
        const double products = 8 + 2 * std::sqrt(static_cast<double>(rank));
        return std::max(products * eps<T> * of_K[j], 2 * std::min(below_, relative_ * of_K[j]));
    }

    struct Lowest {
        std::size_t row;
        double relative;  // -d_row / K_row,row, the largest there is; 0 if none is below zero
    };

    /// Takes a new d, and the noise that it shows.
    Lowest observe(std::vector<double> d) {
        left = std::move(d);
        Lowest lowest{0, 0};
        for (std::size_t j = 0; j < left.size(); ++j) {
            if (!std::isfinite(left[j]))
                throw InvalidArgument(message("K must be finite, but it is not in row ", j,
                                              " of one of the chosen columns"));
            if (left[j] >= 0) continue;
            const double relative = -left[j] / std::max(of_K[j], eps<T> * largest);
            if (relative > lowest.relative) lowest = {j, relative};
            below_ = std::max(below_, -left[j]);
        }
        relative_ = std::max(relative_, lowest.relative);
        return lowest;
    }

    /// Sum of |d_j| over the rows that were not chosen; the others are reproduced.
    double sum_without(const std::vector<index>& chosen) const {
        std::vector<bool> skip(left.size(), false);
        for (const index j : chosen) skip[static_cast<std::size_t>(j)] = true;
        double total = 0;
        for (std::size_t j = 0; j < left.size(); ++j)
            if (!skip[j]) total += std::abs(left[j]);
        return total;
    }

    /// H = K[J, J] must be finite and equal its adjoint.
    void require_hermitian(const std::vector<T>& H, const std::vector<index>& J) const {
        const std::size_t c = J.size();
        for (std::size_t j = 0; j < c; ++j)
            for (std::size_t i = 0; i <= j; ++i) {
                const T x = H[i + j * c], y = H[j + i * c];
                const double apart = static_cast<double>(std::abs(x - conjugate(y)));
                const auto a = static_cast<std::size_t>(J[i]), b = static_cast<std::size_t>(J[j]);
                // |x|^2 <= K_aa K_bb for a semidefinite K.
                const double size = std::sqrt(of_K[a]) * std::sqrt(of_K[b]);
                if (!std::isfinite(apart))
                    throw InvalidArgument(
                        message("K must be finite, but K[", a, ", ", b, "] or its mirror is not"));
                if (apart > clearly_wrong<T>() * size)
                    throw InvalidArgument(message("K must be Hermitian, but K[", a, ", ", b,
                                                  "] and K[", b, ", ", a, "] differ by ", apart));
            }
    }

  private:
    double below_ = 0, relative_ = 0;  // largest -d_j, and -d_j / K_jj, seen
};

}  // namespace subspan
