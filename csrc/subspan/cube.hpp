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

/// Loops over a column-major p x p matrix T, which the flight spends its time in.
struct ColumnKernels {
    /// image = T a.
    void (*multiply)(const double* T, index p, const double* a, double* image);
    /// Row `pivot` of T times `scale`, and w times that row less in all others; w is 0 at the pivot.
    void (*eliminate)(double* T, index p, const double* w, index pivot, double scale);
};

/// The flight phase: units enter one by one; those that are neither 0 nor 1 yet form a basis of the
/// balancing space. T is the product of the Gauss-Jordan eliminations of the basis columns, so that a
/// unit T a either has a row without basis column to enter at, or shows the direction of a step.
/// Rows are read once; those of the basis are kept.
class CubeFlight {
  public:
    CubeFlight(index constraints, const ColumnKernels& loops)
        : p_(constraints),
          loops_(&loops),
          T_(static_cast<std::size_t>(constraints * constraints)),
          held_(static_cast<std::size_t>(constraints * constraints)),
          image_(static_cast<std::size_t>(constraints)),
          basis_(static_cast<std::size_t>(constraints), none) {
        for (index r = 0; r < p_; ++r) T_[at(r, r)] = 1;
    }

    index constraints() const { return p_; }
    const ColumnKernels& loops() const { return *loops_; }

    /// Takes the unit with row a; `uniform` decides the step, if there is one.
    void enter(index unit, const double* a, double uniform, double* pi) {
        loops_->multiply(T_.data(), p_, a, image_.data());
        index pivot = none;
        double largest = 0, all = 0;
        for (index r = 0; r < p_; ++r) {
            const double size = std::abs(image(r));
            all = std::max(all, size);
            if (basis(r) == none && size > largest) {
                largest = size;
                pivot = r;
            }
        }
        if (pivot != none && largest > tolerance * all)
            eliminate(pivot, unit, a);
        else
            step(unit, a, uniform, pi);
    }

    /// A unit that is still between 0 and 1, and its row.
    struct Unfinished {
        index unit;
        const double* row;
    };

    std::vector<Unfinished> unfinished() const {
        std::vector<Unfinished> left;
        for (index r = 0; r < p_; ++r)
            if (basis(r) != none) left.push_back({basis(r), &held_[at(0, r)]});
        return left;
    }

  private:
    static constexpr index none = -1;
    static constexpr double tolerance = 1e-9;  // below it a column is in the span of the basis
    static constexpr double end = 1e-11;       // as near to 0 or 1 as rounding lets a step come

    std::size_t at(index r, index c) const { return static_cast<std::size_t>(r + c * p_); }
    double& image(index r) { return image_[static_cast<std::size_t>(r)]; }
    index& basis(index r) { return basis_[static_cast<std::size_t>(r)]; }
    index basis(index r) const { return basis_[static_cast<std::size_t>(r)]; }

    /// Makes the column T a the r-th unit vector.
    void eliminate(index r, index unit, const double* a) {
        const double scale = 1 / image(r);
        image(r) = 0;
        loops_->eliminate(T_.data(), p_, image_.data(), r, scale);
        basis(r) = unit;
        std::copy(a, a + p_, &held_[at(0, r)]);
    }

    /// Along u = (-T a at the basis, 1 at the unit), or against it.
    void step(index unit, const double* a, double uniform, double* pi) {
        Reach ahead{room(pi[unit], 1), none}, back{room(pi[unit], -1), none};
        for (index r = 0; r < p_; ++r) {
            if (basis(r) == none || image(r) == 0) continue;
            ahead.shorten(room(pi[basis(r)], -image(r)), r);
            back.shorten(room(pi[basis(r)], image(r)), r);
        }
        const bool onwards = uniform * (ahead.length + back.length) < back.length;
        const double length = onwards ? ahead.length : -back.length;
        const index first =
            onwards ? ahead.row : back.row;  // what ends the step, none for the unit
        pi[unit] += length;
        index leaving = none;
        for (index r = 0; r < p_; ++r) {
            if (basis(r) == none || image(r) == 0) continue;
            double& value = pi[basis(r)];
            value -= length * image(r);
            if (!settle(value, r == first)) continue;
            basis(r) = none;
            // Of the rows that become free, the unit enters at the one with the largest pivot.
            if (leaving == none || std::abs(image(r)) > std::abs(image(leaving))) leaving = r;
        }
        if (!settle(pi[unit], first == none)) eliminate(leaving, unit, a);
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

    index p_;
    const ColumnKernels* loops_;
    std::vector<double> T_, held_, image_;  // T and the rows of the basis by columns
    std::vector<index> basis_;
};

/// Random numbers that the landing may take: every flight leaves a sixteenth fewer units, or one.
inline index landing_uniforms(index constraints) {
    return 16 * constraints + 128;
}

/// The landing: settles what a flight left, giving up the last constraints first. An eighth of them at a
/// time, so that all flights together cost a few of the first over as many units.
inline void land(const CubeFlight& flight, const double* uniforms, double* pi) {
    auto left = flight.unfinished();
    index kept = flight.constraints();
    std::vector<CubeFlight> flights;  // they hold the rows of what they leave
    flights.reserve(static_cast<std::size_t>(kept) + 1);
    while (!left.empty()) {
        const index size = static_cast<index>(left.size());
        kept = std::min(kept - 1, size - std::max<index>(1, size / 8));
        if (kept <= 0) break;
        flights.emplace_back(kept, flight.loops());
        for (const auto& [unit, row] : left) flights.back().enter(unit, row, *uniforms++, pi);
        left = flights.back().unfinished();
    }
    for (const auto& [unit, row] : left) pi[unit] = *uniforms++ < pi[unit] ? 1 : 0;
}

}  // namespace subspan
