// What can stand for a positive semidefinite matrix K: dense, sparse, or an oracle of its entries.
//
// Pivoted Cholesky asks two questions and no more, both for few entries of K:
//   hermitian_columns(ex, K, J, C)   C = K[:, J]
//   hermitian_block(ex, K, J, B)     B = K[J, J]
#pragma once

#include <functional>

#include "subspan/kernels.hpp"
#include "subspan/source.hpp"

namespace subspan {

/// A matrix whose entries are computed on request; the callback may throw.
template <class T>
struct EntryOracle {
    using value_type = T;
    index rows = 0, cols = 0;
    /// B = K[I, J]; a null I means every row.
    std::function<void(const index* I, const index* J, MatrixView<T> B)> entries;
};

/// B(i, j) = K[J[i], J[j]] of a dense matrix.
template <class T>
struct DenseBlockEntry {
    DenseSource<T> K;
    const index* J;
    MatrixView<T> B;
    SUBSPAN_HD void operator()(index i, index j) const {
        const index row = K.by_rows ? J[j] : J[i], col = K.by_rows ? J[i] : J[j];
        B(i, j) = K.data[row + col * K.ld];
    }
};

/// B(i, j) = K[J[i], J[j]] of compressed columns whose row indices ascend.
template <class T>
struct SparseBlockEntry {
    SparseSource<T> K;
    const index* J;
    MatrixView<T> B;
    SUBSPAN_HD void operator()(index i, index j) const {
        index low = K.starts[J[j]], high = K.starts[J[j] + 1];
        const index end = high;
        while (low < high) {
            const index middle = low + (high - low) / 2;
            if (K.row_indices[middle] < J[i])
                low = middle + 1;
            else
                high = middle;
        }
        B(i, j) = low < end && K.row_indices[low] == J[i] ? K.values[low] : T(0);
    }
};

/// Columns of a Hermitian matrix in either order: those of a matrix stored by rows are its rows,
/// conjugated, so that memory is read along the stored direction.
template <class E, class T>
void hermitian_columns(E& ex, const DenseSource<T>& K, const index* J, MatrixView<T> C) {
    DenseSource<T> stored = K;
    stored.by_rows = false;
    gather_columns(ex, stored, J, C);
    if (is_complex<T> && K.by_rows) for_each_entry(ex, C.rows, C.cols, ConjugateEntry<T>{C, C});
}
template <class E, class T>
void hermitian_columns(E& ex, const SparseSource<T>& K, const index* J, MatrixView<T> C) {
    gather_columns(ex, K, J, C);
}
template <class E, class T>
void hermitian_columns(E& ex, const EntryOracle<T>& K, const index* J, MatrixView<T> C) {
    gather_entries(ex, K, nullptr, J, C);
}

template <class E, class T>
void hermitian_block(E& ex, const DenseSource<T>& K, const index* J, MatrixView<T> B) {
    for_each_entry(ex, B.rows, B.cols, DenseBlockEntry<T>{K, J, B});
}
template <class E, class T>
void hermitian_block(E& ex, const SparseSource<T>& K, const index* J, MatrixView<T> B) {
    for_each_entry(ex, B.rows, B.cols, SparseBlockEntry<T>{K, J, B});
}
template <class E, class T>
void hermitian_block(E& ex, const EntryOracle<T>& K, const index* J, MatrixView<T> B) {
    gather_entries(ex, K, J, J, B);
}

}  // namespace subspan
