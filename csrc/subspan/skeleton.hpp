// The outcome of a column selection: the chosen columns and the by-products that make the
// interpolation matrix and the error certificate cheap.
#pragma once

#include <bit>
#include <utility>
#include <vector>

#include "subspan/error.hpp"
#include "subspan/kernels.hpp"
#include "subspan/source.hpp"

namespace subspan {

enum class StopReason : int { Rank = 0, Tolerance = 1, Exhausted = 2 };

/// One block of an adaptive method.
struct HistoryEntry {
    index rank = 0;       // after the block
    double residual = 0;  // absolute Frobenius error at that rank
    bool exact = false;   // revealed by the factorization, or estimated from a fresh sketch
    index accepted = 0, proposed = 0;
};

/// How `factor` encodes the coefficients of the skeleton columns.
enum class FactorKind : int {
    None = 0,
    UnitLower = 1,   // L of the pivoted sketch, rows in pivot order (perm): T^T = L2 L1^-1
    Triangular = 2,  // (Q^H A)^T in column order, with R11 = its rows at the pivots: T = R11^-1 R12
};

template <class T, Exec E>
struct Skeleton {
    index rank = 0;
    std::vector<index> perm;  // all n columns, the chosen ones first, in pivot order
    StopReason stop = StopReason::Rank;
    std::vector<HistoryEntry> history;
    index passes = 0;

    FactorKind kind = FactorKind::None;
    Buffer<T, E> factor;  // n-by-factor_cols
    index factor_cols = 0;
    Buffer<T, E> basis;  // Q, m-by-factor_cols, of a Triangular factor if options.keep_basis

    Buffer<T, E> sketch;  // (S A)^T, n-by-sketch_cols, columns in the original order
    index sketch_cols = 0;

    Buffer<T, E> probe;  // (G A)^T, n-by-probes, independent of every choice made here
    index probes = 0;

    Buffer<double, E> residual2;  // squared residual norm of every column, if the method reveals it
    double norm2 = -1;            // ||A||_F^2, negative if unknown

    MatrixView<T> factor_matrix(index n) const { return factor.matrix(n, factor_cols); }
    MatrixView<T> sketch_matrix(index n) const { return sketch.matrix(n, sketch_cols); }
    MatrixView<T> probe_matrix(index n) const { return probe.matrix(n, probes); }
    std::vector<index> pivots() const { return {perm.begin(), perm.begin() + rank}; }
};

/// Options shared by the selections.
struct SelectOptions {
    index rank = 0;        // at most this many columns
    double tolerance = 0;  // absolute Frobenius error to stop at; 0 for none
    double relative = 0;   // error relative to ||A||_F to stop at; 0 for none
    index block = 0;       // columns per round
    bool fixed_block = false;
    SketchOperator sketch;    // kind, nnz and stream; its size is what a fixed-rank method draws
    index pivot_rows = 0;     // generic combinations of the sketch's rows that pivoting looks at
    SketchOperator probe;     // size 0: no probe
    StreamId sampling;        // random pivoting
    bool want_norms = true;   // column norms can be had (not for operators)
    bool keep_basis = false;  // methods on A keep the basis Q they have made
};

inline SketchOperator resized(SketchOperator S, index size, std::uint32_t repetition = 0) {
    S.size = size;
    S.nnz = S.nnz < size ? S.nnz : static_cast<int>(size);
    S.id.repetition = repetition;
    return S;
}

/// Perm with `chosen` first and the other columns after them in ascending order.
inline std::vector<index> permutation_with(const std::vector<index>& chosen, index n) {
    std::vector<bool> taken(static_cast<std::size_t>(n), false);
    std::vector<index> perm = chosen;
    for (const index j : chosen) taken[static_cast<std::size_t>(j)] = true;
    for (index j = 0; j < n; ++j)
        if (!taken[static_cast<std::size_t>(j)]) perm.push_back(j);
    return perm;
}

/// Sketch rows to draw so that `rows` generic combinations of them can be taken: a structured sketch
/// needs twice as many, and some more where they are few, for those to be as good as Gaussian ones.
inline index rows_to_draw(SketchKind kind, index rows) {
    return kind == SketchKind::Gaussian ? rows : 2 * rows + 24;
}

/// Column j of Y plus the columns a multiple of `to.cols` after it.
template <class T>
struct FoldColumnEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    SUBSPAN_HD void operator()(index i, index j) const {
        T total = from(i, j);
        for (index c = j + to.cols; c < from.cols; c += to.cols) total += from(i, c);
        to(i, j) = total;
    }
};

/// mixed = Y M^T: as many generic combinations of the columns of Y (rows of the sketch) as `mixed`
/// has columns. Square pieces of a sparse or sign matrix are often singular on coherent data, where a
/// Gaussian one never is; after mixing, any piece is generic. Small ones are mixed by a Gaussian
/// matrix, large ones by a subsampled Hadamard transform, which costs next to nothing. Only a transform
/// of full order is safe: of one padded with zeros, rows r and r + order / 2 agree on all columns below
/// order / 2, and many rows of it are dependent. So the columns of Y beyond a power of two are folded
/// onto the first ones.
template <class T, class E>
void mix(E& ex, const SketchOperator& S, MatrixView<T> Y, MatrixView<T> mixed) {
    constexpr index gaussian_up_to = index{1} << 15;
    const auto order = static_cast<index>(std::bit_floor(static_cast<std::uint64_t>(Y.cols)));
    const bool gaussian = Y.cols * mixed.cols <= gaussian_up_to || order < mixed.cols;
    const bool folds = !gaussian && order < Y.cols;
    Buffer<T, E> memory(ex, folds ? Y.rows * order : 0);
    if (folds) {
        const auto folded = memory.matrix(Y.rows, order);
        for_each_entry(ex, Y.rows, order, FoldColumnEntry<T>{Y, folded});
        Y = folded;
    }
    SketchOperator M;
    M.kind = gaussian ? SketchKind::Gaussian : SketchKind::Hadamard;
    M.size = mixed.cols;
    M.dim = Y.cols;
    M.id = S.id;
    M.id.operand = 2;
    const DenseSource<T> rows_of_sketch{Y.data, Y.cols, Y.rows, Y.ld, true};
    sketch(ex, rows_of_sketch, M, mixed);
}

/// The columns of (S A)^T to pivot on: the first ones if S is Gaussian, else mixed ones.
template <class T, class E>
void pivot_columns(E& ex, const SketchOperator& S, MatrixView<T> Y, MatrixView<T> out) {
    if (S.kind == SketchKind::Gaussian)
        for_each_entry(ex, out.rows, out.cols, CopyEntry<T>{Y.columns(0, out.cols), out});
    else
        mix(ex, S, Y, out);
}

/// Throws if squares of squares of residuals that are eps times the norm of A would leave the range of T.
template <class T>
void require_in_range(double norm2) {
    constexpr bool single = std::is_same_v<real_t<T>, float>;
    constexpr double low = single ? 1e-20 : 1e-120, high = single ? 1e20 : 1e120;
    if (!(norm2 >= low && norm2 <= high))
        throw OutOfRange(message("sum of squares of A is ", norm2));
}

/// One reading of A: sketch, probe and ||A||_F^2 into the skeleton.
template <class T, class E, class S>
void first_pass(E& ex, const S& A, const SketchOperator& op, const SelectOptions& options,
                Skeleton<T, E>& skeleton, double* norms2 = nullptr) {
    SketchPass<T> pass;
    skeleton.sketch_cols = op.size;
    skeleton.sketch = Buffer<T, E>(ex, A.cols * op.size);
    skeleton.probes = options.probe.size;
    skeleton.probe = Buffer<T, E>(ex, A.cols * options.probe.size);
    Buffer<double, E> own(ex, options.want_norms && norms2 == nullptr ? A.cols : 0);
    pass.sketch = op;
    pass.Y = skeleton.sketch_matrix(A.cols);
    pass.probe = options.probe;
    pass.P = skeleton.probe_matrix(A.cols);
    pass.norms2 = norms2 != nullptr ? norms2 : own.data();
    sketch_pass(ex, A, pass);
    ++skeleton.passes;
    double norm2;
    if (options.want_norms) {
        norm2 = skeleton.norm2 = sum(ex, pass.norms2, A.cols);
    } else {  // an operator: the norm of its sketch is near its own
        Buffer<double, E> rows(ex, A.cols);
        parallel_for(ex, A.cols, RowNorm<T>{pass.Y, rows.data()}, op.size);
        norm2 = sum(ex, rows.data(), A.cols);
    }
    require_in_range<T>(norm2);
}

}  // namespace subspan
