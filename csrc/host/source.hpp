// Sources on the host: the questions of subspan/source.hpp, answered for dense, sparse and
// operator input.
#pragma once

#include "host/exec.hpp"
#include "subspan/psd_source.hpp"
#include "subspan/source.hpp"

namespace subspan {

template <class T>
void sketch_pass(Host&, const DenseSource<T>& A, const SketchPass<T>& pass);
template <class T>
void apply(Host&, const DenseSource<T>& A, In<T> X, MatrixView<T> Y);
template <class T>
void apply_transpose(Host&, const DenseSource<T>& A, In<T> X, MatrixView<T> Y);
template <class T>
void gather_columns(Host&, const DenseSource<T>& A, const index* J, MatrixView<T> C);

template <class T>
void sketch_pass(Host&, const SparseSource<T>& A, const SketchPass<T>& pass);
template <class T>
void apply(Host&, const SparseSource<T>& A, In<T> X, MatrixView<T> Y);
template <class T>
void apply_transpose(Host&, const SparseSource<T>& A, In<T> X, MatrixView<T> Y);
template <class T>
void gather_columns(Host&, const SparseSource<T>& A, const index* J, MatrixView<T> C);

template <class T>
void sketch_pass(Host&, const OperatorSource<T>& A, const SketchPass<T>& pass);
template <class T>
void apply(Host&, const OperatorSource<T>& A, In<T> X, MatrixView<T> Y) {
    A.multiply(X, Y);
}
template <class T>
void apply_transpose(Host&, const OperatorSource<T>& A, In<T> X, MatrixView<T> Y) {
    A.multiply_transpose(X, Y);
}
template <class T>
void gather_columns(Host&, const OperatorSource<T>& A, const index* J, MatrixView<T> C);

/// B = K[I, J]; a null I means every row.
template <class T>
void gather_entries(Host&, const EntryOracle<T>& K, const index* I, const index* J,
                    MatrixView<T> B) {
    K.entries(I, J, B);
}

/// Tile of S^T, unscaled but for `scale`: out(p - p0, i - i0) = scale S[i, p], i0 a multiple of 16.
template <class T>
void fill_transposed(Host&, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale = 1);

/// Y = S^T X for X (size-by-p): the adjoint of a real operator.
template <class T>
void apply_adjoint_sketch(Host&, const SketchOperator& S, In<T> X, MatrixView<T> Y);

}  // namespace subspan
