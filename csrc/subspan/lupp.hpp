// Randomized LUPP: pivots from LU with partial pivoting of a sketch (arXiv 2310.09417).
//
// Y = (S A)^T is tall, n-by-k; the rows that partial pivoting chooses in Y are the columns to keep of
// A, and Y[perm, :] = L U gives coefficients, A[:, rest] ~ A[:, pivots] T with T^T = L2 L1^-1.
#pragma once

#include "subspan/orthonormalize.hpp"
#include "subspan/sampling.hpp"
#include "subspan/skeleton.hpp"

namespace subspan {

/// Number of leading pivots of U that are above rounding. A random sketch of a rank-r matrix gives r
/// of them with probability one, and the next ones are noise of size eps max|U|.
template <class T>
index numerical_rank(const std::vector<double>& diagonal, index rows, double largest = 0) {
    for (const double d : diagonal) largest = std::max(largest, d);
    const double floor = 8 * std::sqrt(static_cast<double>(rows)) * eps<T> * largest;
    index rank = 0;
    while (rank < static_cast<index>(diagonal.size()) &&
           diagonal[static_cast<std::size_t>(rank)] > floor)
        ++rank;
    return rank;
}

/// Fixed rank. Partial pivoting looks at `rank` generic columns of the sketch only; drawing more rows
/// serves the interpolation matrix.
template <class T, class E, class S>
Skeleton<T, E> select_lupp(E& ex, const S& A, const SelectOptions& options) {
    Skeleton<T, E> out;
    first_pass(ex, A, options.sketch, options, out);
    const index n = A.cols, k = options.rank;
    out.kind = FactorKind::UnitLower;
    out.factor = Buffer<T, E>(ex, n * k);
    out.factor_cols = k;
    Buffer<index, E> transpositions(ex, k);
    const auto F = out.factor_matrix(n);
    pivot_columns(ex, options.sketch, out.sketch_matrix(n), F);
    lu<T>(ex, F, transpositions.data());
    out.perm = permutation_with({}, n);
    apply_transpositions(fetch(ex, transpositions.data(), k), out.perm.data());
    out.rank = numerical_rank<T>(abs_diagonal(ex, F), n);
    if (out.rank < k) out.stop = StopReason::Exhausted;
    return out;
}

namespace detail {

/// The growing factorization of adaptive LUPP: L (n-by-capacity, rows in pivot order).
template <class T, class E>
struct GrowingLu {
    index n, rank = 0, capacity = 0;
    double largest_pivot = 0;
    std::vector<index> perm;
    Buffer<T, E> memory;

    GrowingLu(E& ex, index n_, index start) : n(n_), perm(permutation_with({}, n_)) {
        reserve(ex, start);
    }

    MatrixView<T> L() const { return memory.matrix(n, capacity); }

    void reserve(E& ex, index columns) {
        if (columns <= capacity) return;
        Buffer<T, E> larger(ex, n * columns);
        if (rank > 0)
            copy<E, T>(ex, L().columns(0, rank), larger.matrix(n, columns).columns(0, rank));
        memory = std::move(larger);
        capacity = columns;
    }

    /// Z = Schur complement of the sketch Y (original row order): Z[rank:] -= L21 L11^-1 Z[:rank].
    void eliminate(E& ex, In<T> Y, MatrixView<T> Z) const {
        const auto order = upload<index>(ex, perm);
        for_each_entry(ex, n, Z.cols, GatherRowEntry<T>{Y, Z, order.data()});
        if (rank == 0) return;
        const auto top = Z.row_range(0, rank), rest = Z.row_range(rank, n - rank);
        trsm<T>(ex, Side::Left, Uplo::Lower, Op::None, Diag::Unit, L().block(0, 0, rank, rank),
                top);
        gemm<T>(ex, Op::None, Op::None, T(-1), L().block(rank, 0, n - rank, rank), top, T(1), rest);
    }

    /// Factors the rows Z[rank:] and appends the columns that are above rounding; returns how many.
    index append(E& ex, MatrixView<T> Z, index wanted) {
        const auto panel = Z.block(rank, 0, n - rank, wanted);
        const index steps = std::min(panel.rows, wanted);
        Buffer<index, E> transpositions(ex, steps);
        lu<T>(ex, panel, transpositions.data());
        const auto diagonal = abs_diagonal(ex, panel);
        const index accepted = numerical_rank<T>(diagonal, n, largest_pivot);
        for (const double d : diagonal) largest_pivot = std::max(largest_pivot, d);

        const auto moves = fetch(ex, transpositions.data(), steps);
        apply_transpositions(moves, perm.data() + rank);
        permute_rows(ex, moves);
        reserve(ex, std::max(rank + accepted, std::min(2 * capacity, n)));
        copy<E, T>(ex, panel.columns(0, accepted), L().block(rank, rank, n - rank, accepted));
        rank += accepted;
        return accepted;
    }

  private:
    /// The rows below `rank` of the columns already there follow the new transpositions.
    void permute_rows(E& ex, const std::vector<index>& moves) {
        if (rank == 0) return;
        std::vector<index> order(static_cast<std::size_t>(n - rank));
        std::iota(order.begin(), order.end(), index{0});
        apply_transpositions(moves, order.data());
        const auto device_order = upload<index>(ex, order);
        Buffer<T, E> moved(ex, (n - rank) * rank);
        const auto rows = L().block(rank, 0, n - rank, rank), to = moved.matrix(n - rank, rank);
        for_each_entry(ex, n - rank, to.cols, GatherRowEntry<T>{rows, to, device_order.data()});
        copy<E, T>(ex, to, rows);
    }
};

}  // namespace detail

/// Appends the columns of a fresh sketch to those held (they serve the interpolation matrix later).
template <class T, class E, class S>
void draw_more(E& ex, const S& A, const SketchOperator& op, Skeleton<T, E>& out) {
    const index n = A.cols, before = out.sketch_cols;
    Buffer<T, E> larger(ex, n * (before + op.size));
    copy<E, T>(ex, out.sketch_matrix(n), larger.matrix(n, before));
    out.sketch = std::move(larger);
    out.sketch_cols = before + op.size;
    sketch(ex, A, op, out.sketch_matrix(n).columns(before, op.size));
    ++out.passes;
}

/// Adaptive rank, 2310.09417. Every round draws a fresh sketch; before it is factored, its Schur
/// complement is (error of the coefficients so far)^T times the sketch, hence ||.||_F is an unbiased
/// estimate of that error. Stops when the estimate, times a safety factor for a rank-one error at
/// probability 1e-3 per round, meets the tolerance. Rounds double in size unless a block is given.
template <class T, class E, class S>
Skeleton<T, E> select_lupp_adaptive(E& ex, const S& A, const SelectOptions& options) {
    constexpr double normal_quantile = -3.0902;  // of 1e-3
    Skeleton<T, E> out;
    const index n = A.cols, most = options.rank;
    const SketchKind kind = options.sketch.kind;
    index b = std::min(options.block, most);
    first_pass(ex, A, resized(options.sketch, rows_to_draw(kind, b)), options, out);

    detail::GrowingLu<T, E> growing(ex, n, std::min(4 * b, most));
    Buffer<T, E> schur(ex, n * b), generic(ex, n * b);
    Buffer<double, E> column2(ex, n);
    double tolerance = 0;
    for (std::uint32_t round = 0;; ++round) {
        const index drawn = rows_to_draw(kind, b);
        const auto Z = schur.matrix(n, b), fresh = generic.matrix(n, b);
        pivot_columns(ex, resized(options.sketch, drawn, round),
                      out.sketch_matrix(n).columns(out.sketch_cols - drawn, drawn), fresh);
        growing.eliminate(ex, fresh, Z);
        const auto rest = Z.row_range(growing.rank, n - growing.rank);
        parallel_for(ex, rest.rows, RowNorm<T>{rest, column2.data()});
        const double error = std::sqrt(sum(ex, column2.data(), rest.rows));
        if (round == 0) {
            const double norm = out.norm2 >= 0 ? std::sqrt(out.norm2) : error;
            tolerance = std::max(options.tolerance, options.relative * norm);
        }
        out.history.push_back({growing.rank, error, false, 0, b});
        const double safety = 1 / std::sqrt(chi2_quantile_ratio(b, normal_quantile));
        if (error * safety <= tolerance) {
            out.stop = StopReason::Tolerance;
            break;
        }
        if (growing.rank == most) break;
        const index wanted = std::min(b, most - growing.rank);
        const index accepted = growing.append(ex, Z, wanted);
        out.history.back().accepted = accepted;
        if (accepted < wanted) {
            out.stop = StopReason::Exhausted;
            break;
        }
        ex.poll();
        if (!options.fixed_block) b = std::min<index>(std::max(b, growing.rank / 2), 256);
        draw_more(ex, A, resized(options.sketch, rows_to_draw(kind, b), round + 1), out);
        schur = Buffer<T, E>(ex, n * b);
        generic = Buffer<T, E>(ex, n * b);
    }
    out.kind = FactorKind::UnitLower;
    out.rank = growing.rank;
    out.perm = std::move(growing.perm);
    out.factor_cols = growing.capacity;
    out.factor = std::move(growing.memory);
    return out;
}

}  // namespace subspan
