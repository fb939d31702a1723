// The cube method: random samples with exact inclusion probabilities that keep balanced sums balanced
// (Deville and Tille, Biometrika 91, 2004; the flight one unit at a time, Chauvet and Tille, 2006).
//
// With rows a_i = x_i / pi_i, any motion of pi along u with sum_i u_i a_i = 0 keeps the estimated totals
// sum_i a_i pi_i. A step goes along u or -u until an entry reaches 0 or 1, with the probabilities that
// make it a martingale. Sequential by nature, and on the host: each step needs the outcome of the last.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "subspan/types.hpp"

namespace subspan {

/// The flight phase: units enter one by one; those that are neither 0 nor 1 yet form a basis of the
/// balancing space. T is the product of the Gauss-Jordan eliminations of the basis columns, so that a
/// unit T a either has a row without basis column to enter at, or shows the direction of a step.
class CubeFlight {
  public:
    CubeFlight(const double* rows, index stride, index constraints, double* pi,
               const double* uniforms)
        : rows_(rows),
          stride_(stride),
          p_(constraints),
          pi_(pi),
          uniforms_(uniforms),
          T_(static_cast<std::size_t>(constraints * constraints)),
          image_(static_cast<std::size_t>(constraints)),
          basis_(static_cast<std::size_t>(constraints), none) {
        for (index r = 0; r < p_; ++r) T_[at(r, r)] = 1;
    }

    void enter(index unit) {
        transform(unit);
        index pivot = -1;
        double largest = 0, all = 0;
        for (index r = 0; r < p_; ++r) {
            const double size = std::abs(image(r));
            all = std::max(all, size);
            if (basis(r) == none && size > largest) {
                largest = size;
                pivot = r;
            }
        }
        if (pivot >= 0 && largest > tolerance * all)
            eliminate(pivot, unit);
        else
            step(unit);
    }

    /// The units that are still between 0 and 1.
    std::vector<index> unfinished() const {
        std::vector<index> left;
        for (const index unit : basis_)
            if (unit != none) left.push_back(unit);
        return left;
    }

    /// The first random number that is not used up.
    const double* uniforms() const { return uniforms_; }

  private:
    static constexpr index none = -1;
    static constexpr double tolerance = 1e-9;  // below it a column is in the span of the basis
    static constexpr double end = 1e-11;       // as near to 0 or 1 as rounding lets a step come

    std::size_t at(index r, index c) const { return static_cast<std::size_t>(r * p_ + c); }
    double& image(index r) { return image_[static_cast<std::size_t>(r)]; }
    index& basis(index r) { return basis_[static_cast<std::size_t>(r)]; }

    void transform(index unit) {
        const double* a = rows_ + unit * stride_;
        for (index r = 0; r < p_; ++r) {
            const double* row = &T_[at(r, 0)];
            double sum = 0;
            for (index c = 0; c < p_; ++c) sum += row[c] * a[c];
            image(r) = sum;
        }
    }

    /// Makes the column T a the r-th unit vector.
    void eliminate(index r, index unit) {
        double* pivot_row = &T_[at(r, 0)];
        const double scale = 1 / image(r);
        for (index c = 0; c < p_; ++c) pivot_row[c] *= scale;
        for (index i = 0; i < p_; ++i) {
            const double factor = image(i);
            if (i == r || factor == 0) continue;
            double* row = &T_[at(i, 0)];
            for (index c = 0; c < p_; ++c) row[c] -= factor * pivot_row[c];
        }
        basis(r) = unit;
    }

    /// Along u = (-T a at the basis, 1 at the unit), or against it.
    void step(index unit) {
        Reach ahead{room(pi_[unit], 1), none}, back{room(pi_[unit], -1), none};
        for (index r = 0; r < p_; ++r) {
            if (basis(r) == none || image(r) == 0) continue;
            ahead.shorten(room(pi_[basis(r)], -image(r)), r);
            back.shorten(room(pi_[basis(r)], image(r)), r);
        }
        const bool onwards = *uniforms_++ * (ahead.length + back.length) < back.length;
        const double length = onwards ? ahead.length : -back.length;
        const index first =
            onwards ? ahead.row : back.row;  // what ends the step, none for the unit
        pi_[unit] += length;
        index leaving = none;
        for (index r = 0; r < p_; ++r) {
            if (basis(r) == none || image(r) == 0) continue;
            double& value = pi_[basis(r)];
            value -= length * image(r);
            if (!settle(value, r == first)) continue;
            basis(r) = none;
            // Of the rows that become free, the unit enters at the one with the largest pivot.
            if (leaving == none || std::abs(image(r)) > std::abs(image(leaving))) leaving = r;
        }
        if (!settle(pi_[unit], first == none)) eliminate(leaving, unit);
    }

    /// The longest step that leaves all probabilities between 0 and 1, and who ends it.
    struct Reach {
        double length;
        index row;
        void shorten(double other, index r) {
            if (other < length) {
                length = other;
                row = r;
            }
        }
    };

    /// How far a probability may go in a direction.
    static double room(double value, double direction) {
        if (direction == 0) return std::numeric_limits<double>::infinity();
        return direction > 0 ? (1 - value) / direction : value / -direction;
    }

    static bool settle(double& value, bool must) {
        if (!must && value > end && value < 1 - end) return false;
        value = value > 0.5 ? 1 : 0;
        return true;
    }

    const double* rows_;
    index stride_, p_;
    double* pi_;
    const double* uniforms_;
    std::vector<double> T_, image_;
    std::vector<index> basis_;
};

/// Rounds the inclusion probabilities pi of the units in `order` to 0 and 1. `rows` has a row of
/// `constraints` numbers x_i / pi_i per unit, the most important first: the landing gives the last ones up.
/// `uniforms` has a number in [0, 1) per unit and one more.
inline void cube_sample(const double* rows, index constraints, std::vector<index> units,
                        const double* uniforms, double* pi, const std::function<void()>& poll) {
    for (index kept = constraints; !units.empty() && kept > 0;) {
        CubeFlight flight(rows, constraints, kept, pi, uniforms);
        for (std::size_t i = 0; i < units.size(); ++i) {
            if (i % 1024 == 0) poll();
            flight.enter(units[i]);
        }
        uniforms = flight.uniforms();
        units = flight.unfinished();
        // The landing: an eighth of the constraints at a time, so that all flights together cost a few
        // of the first over as many units.
        const index left = static_cast<index>(units.size());
        kept = std::min(kept - 1, left - std::max<index>(1, left / 8));
    }
    for (const index unit : units) pi[unit] = *uniforms++ < pi[unit] ? 1 : 0;
}

}  // namespace subspan
