// Index functors of sketching: tiles of operators, and products with operators and matrices that are
// sparse, each entry a sum in an order that depends on positions alone.
#pragma once

#include "subspan/kernels.hpp"
#include "subspan/sketch_operator.hpp"
#include "subspan/source.hpp"

namespace subspan {

/// Tile of S^T: out(r, c) = scale S(i0 + c, p0 + r).
template <class T>
struct SketchTileEntry {
    SketchOperator S;
    index i0, p0;
    real_t<T> scale;
    MatrixView<T> out;
    SUBSPAN_HD void operator()(index r, index c) const {
        const float entry =
            sketch_entry(S, static_cast<std::uint64_t>(i0 + c), static_cast<std::uint64_t>(p0 + r));
        out(r, c) = T(static_cast<real_t<T>>(entry) * scale);
    }
};

/// One of four words; an index into them would put them into memory.
SUBSPAN_HD std::uint32_t word_at(const Words4& x, std::uint64_t at) {
    return at < 2 ? (at == 0 ? x.w[0] : x.w[1]) : (at == 2 ? x.w[2] : x.w[3]);
}

/// The nonzero of column p of a sparse-sign operator in group g.
SUBSPAN_HD SignedRow sparse_sign_at(const SketchOperator& S, std::uint32_t g, index p) {
    const auto at = static_cast<std::uint64_t>(p + S.first);
    const Words4 x = words_at(S.id, Stream::SparseSign, g, at >> 2);
    return sparse_sign_nonzero(
        word_at(x, at & 3u),
        row_group(static_cast<std::uint64_t>(S.size), static_cast<std::uint32_t>(S.nnz), g));
}

/// Y(j, i) = scale sum +-A(p, j) over the nonzeros (p, sign) of row i of S: those with starts[i] <= e <
/// starts[i + 1], nonzeros[e] = 2 p + (1 if negative).
template <class T>
struct GatherSketchEntry {
    DenseSource<T> A;
    const index *starts, *nonzeros;
    real_t<T> scale;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index j, index i) const {
        const index along = A.by_rows ? A.ld : 1, from = A.by_rows ? j : j * A.ld;
        T sum(0);
        for (index e = starts[i]; e < starts[i + 1]; ++e) {
            const T a = A.data[from + (nonzeros[e] >> 1) * along];
            if ((nonzeros[e] & 1) != 0)
                sum -= a;
            else
                sum += a;
        }
        Y(j, i) = sum * scale;
    }
};

/// Y(p, c) = scale sum_g +-X(row_g, c): the adjoint of a sparse-sign operator.
template <class T>
struct SparseSignAdjointEntry {
    SketchOperator S;
    MatrixView<const T> X;
    real_t<T> scale;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index p, index c) const {
        T sum(0);
        for (int g = 0; g < S.nnz; ++g) {
            const SignedRow s = sparse_sign_at(S, static_cast<std::uint32_t>(g), p);
            const T x = X(static_cast<index>(s.row()), c);
            if (s.negative())
                sum -= x;
            else
                sum += x;
        }
        Y(p, c) = sum * scale;
    }
};

/// X(p, c) = D_p A(p, first + c), zero in the rows that pad A to a power of two.
template <class T>
struct SignedColumnsEntry {
    DenseSource<T> A;
    StreamId id;
    index first;
    MatrixView<T> X;
    SUBSPAN_HD void operator()(index p, index c) const {
        const index j = first + c;
        if (p >= A.rows) {
            X(p, c) = T(0);
            return;
        }
        const T a = A.data[A.by_rows ? p * A.ld + j : p + j * A.ld];
        const auto sign = static_cast<real_t<T>>(hadamard_sign(id, static_cast<std::uint64_t>(p)));
        X(p, c) = a * sign;
    }
};

/// One level of the Walsh-Hadamard transform of the columns of X; h runs over half of the rows.
template <class T>
struct ButterflyEntry {
    MatrixView<T> X;
    index distance;  // a power of two
    SUBSPAN_HD void operator()(index h, index c) const {
        const index i = (h & ~(distance - 1)) * 2 + (h & (distance - 1));
        const T a = X(i, c), b = X(i + distance, c);
        X(i, c) = a + b;
        X(i + distance, c) = a - b;
    }
};

/// Y(c, i) = scale X(row i of the sample, c).
template <class T>
struct SampleRowEntry {
    MatrixView<const T> X;
    StreamId id;
    real_t<T> scale;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index c, index i) const {
        const auto row =
            permuted(id, static_cast<std::uint64_t>(X.rows), static_cast<std::uint64_t>(i));
        Y(c, i) = X(static_cast<index>(row), c) * scale;
    }
};

/// Row j of Y (zero before) = scale S times column j of A, for a sparse-sign operator.
template <class T>
struct SparseSignColumn {
    SparseSource<T> A;
    SketchOperator S;
    real_t<T> scale;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index j) const {
        for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) {
            const T a = A.values[e] * scale;
            for (int g = 0; g < S.nnz; ++g) {
                const SignedRow s =
                    sparse_sign_at(S, static_cast<std::uint32_t>(g), A.row_indices[e]);
                T& y = Y(j, static_cast<index>(s.row()));
                y = s.negative() ? y - a : y + a;
            }
        }
    }
};

/// Y(j, c) = sum A(p, j) X(p, c) over the nonzeros of column j.
template <class T>
struct SparseTransposeEntry {
    SparseSource<T> A;
    MatrixView<const T> X;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index j, index c) const {
        T sum(0);
        for (index e = A.starts[j]; e < A.starts[j + 1]; ++e)
            sum += A.values[e] * X(A.row_indices[e], c);
        Y(j, c) = sum;
    }
};

/// Y(i, c) = sum A(i, j) X(j, c) over the nonzeros of row i, listed as positions in A.
template <class T>
struct SparseProductEntry {
    SparseSource<T> A;
    const index *starts, *positions, *columns;
    MatrixView<const T> X;
    MatrixView<T> Y;
    SUBSPAN_HD void operator()(index i, index c) const {
        T sum(0);
        for (index e = starts[i]; e < starts[i + 1]; ++e)
            sum += A.values[positions[e]] * X(columns[e], c);
        Y(i, c) = sum;
    }
};

/// Column c of C (zero before) = A(:, J[c]).
template <class T>
struct SparseGatherColumn {
    SparseSource<T> A;
    const index* J;
    MatrixView<T> C;
    SUBSPAN_HD void operator()(index c) const {
        for (index e = A.starts[J[c]]; e < A.starts[J[c] + 1]; ++e)
            C(A.row_indices[e], c) += A.values[e];
    }
};

template <class T>
struct SparseColumnNorm {
    SparseSource<T> A;
    double* norms2;
    SUBSPAN_HD void operator()(index j) const {
        double sum = 0;
        for (index e = A.starts[j]; e < A.starts[j + 1]; ++e) sum += squared_abs(A.values[e]);
        norms2[j] = sum;
    }
};

}  // namespace subspan
