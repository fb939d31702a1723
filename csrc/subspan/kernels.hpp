// Index functors: one body per entry, row or column, the same for every executor.
#pragma once

#include "subspan/exec.hpp"
#include "subspan/philox.hpp"

namespace subspan {

template <class T>
SUBSPAN_HD T conjugate(T x) {
    if constexpr (is_complex<T>)
        return T(x.real(), -x.imag());
    else
        return x;
}

template <class T>
SUBSPAN_HD double squared_abs(T x) {
    if constexpr (is_complex<T>)
        return static_cast<double>(x.real()) * static_cast<double>(x.real()) +
               static_cast<double>(x.imag()) * static_cast<double>(x.imag());
    else
        return static_cast<double>(x) * static_cast<double>(x);
}

// Bodies of for_each_entry: (i, j) runs over the entries of `to`.

template <class T>
struct CopyEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = from(i, j); }
};

template <class T>
struct ConjugateEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = conjugate(from(i, j)); }
};

template <class T>
struct TransposeEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = from(j, i); }
};

/// to(i, :) = from(order[i], :).
template <class T>
struct GatherRowEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = from(order[i], j); }
};

/// to(:, j) = from(:, order[j]).
template <class T>
struct GatherColumnEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = from(i, order[j]); }
};

/// to(i, j) = from(order[j], i): columns of a matrix that is stored by rows.
template <class T>
struct GatherTransposedEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) = from(order[j], i); }
};

/// to(:, order[j]) = from(:, j); (i, j) runs over the entries of `from`.
template <class T>
struct ScatterColumnEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, order[j]) = from(i, j); }
};

/// to(order[i], :) = from(i, :); (i, j) runs over the entries of `from`.
template <class T>
struct ScatterRowEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(order[i], j) = from(i, j); }
};

/// to(order[i], j) = from(j, i).
template <class T>
struct ScatterTransposedEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { to(order[i], j) = from(j, i); }
};

/// Row order[i] of the interpolation matrix's transpose becomes the unit vector e_i, exactly.
template <class T>
struct UnitRowEntry {
    MatrixView<T> W;
    const index* order;
    SUBSPAN_HD void operator()(index i, index j) const { W(order[i], j) = T(i == j ? 1 : 0); }
};

/// The leading columns of the identity.
template <class T>
struct IdentityEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const { A(i, j) = T(i == j ? 1 : 0); }
};

template <class T>
struct ZeroEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const { A(i, j) = T(0); }
};

/// A *= factor; a zero factor clears what is not finite, too.
template <class T>
struct ScaleEntry {
    MatrixView<T> A;
    T factor;
    SUBSPAN_HD void operator()(index i, index j) const {
        A(i, j) = factor == T(0) ? T(0) : A(i, j) * factor;
    }
};

/// The lower triangle of a Hermitian matrix from its upper one.
template <class T>
struct MirrorUpperEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const {
        if (i > j) A(i, j) = conjugate(A(j, i));
    }
};

/// A(i, :) *= factors[i].
template <class T>
struct ScaleRowEntry {
    MatrixView<T> A;
    const real_t<T>* factors;
    SUBSPAN_HD void operator()(index i, index j) const { A(i, j) = factors[i] * A(i, j); }
};

/// Zero below the diagonal.
template <class T>
struct UpperTriangleEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const {
        if (i > j) A(i, j) = T(0);
    }
};

/// One on the diagonal and zero above it.
template <class T>
struct UnitLowerEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const {
        if (i <= j) A(i, j) = T(i == j ? 1 : 0);
    }
};

/// Zero above the diagonal.
template <class T>
struct LowerTriangleEntry {
    MatrixView<T> A;
    SUBSPAN_HD void operator()(index i, index j) const {
        if (i < j) A(i, j) = T(0);
    }
};

/// to -= from.
template <class T>
struct SubtractEntry {
    MatrixView<const T> from;
    MatrixView<T> to;
    SUBSPAN_HD void operator()(index i, index j) const { to(i, j) -= from(i, j); }
};

// Bodies of parallel_for: one index is one row, column or diagonal entry.

/// d[j] = max(0, d[j] - ||W(j, :)||^2): what is left of column j outside the new directions.
template <class T>
struct DowndateNorm {
    MatrixView<const T> W;
    double* d;
    SUBSPAN_HD void operator()(index j) const {
        double taken = 0;
        for (index r = 0; r < W.cols; ++r) taken += squared_abs(W(j, r));
        d[j] = d[j] > taken ? d[j] - taken : 0.0;
    }
};

/// norms2[j] = ||A(:, j)||^2.
template <class T>
struct ColumnNorm {
    MatrixView<const T> A;
    double* norms2;
    SUBSPAN_HD void operator()(index j) const {
        double total = 0;
        for (index i = 0; i < A.rows; ++i) total += squared_abs(A(i, j));
        norms2[j] = total;
    }
};

/// norms2[i] = ||A(i, :)||^2.
template <class T>
struct RowNorm {
    MatrixView<const T> A;
    double* norms2;
    SUBSPAN_HD void operator()(index i) const {
        double total = 0;
        for (index j = 0; j < A.cols; ++j) total += squared_abs(A(i, j));
        norms2[i] = total;
    }
};

/// squares[j] = |A(j, j)|^2.
template <class T>
struct DiagonalSquare {
    MatrixView<const T> A;
    double* squares;
    SUBSPAN_HD void operator()(index j) const { squares[j] = squared_abs(A(j, j)); }
};

}  // namespace subspan
