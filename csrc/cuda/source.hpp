// Sources on a CUDA device: the questions of subspan/source.hpp, answered in verbs and index functors.
#pragma once

#include "cuda/dense.hpp"
#include "subspan/plain_source.hpp"

namespace subspan {

template <class S, class T>
concept ConcreteSource = !std::is_same_v<S, AnySource<T>>;

template <class T, ConcreteSource<T> S>
void sketch_pass(Cuda& ex, const S& A, const SketchPass<T>& pass) {
    plain::sketch_pass<T>(ex, A, pass);
}
template <class T, ConcreteSource<T> S>
void apply(Cuda& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    plain::apply<T>(ex, A, X, Y);
}
template <class T, ConcreteSource<T> S>
void apply_transpose(Cuda& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    plain::apply_transpose<T>(ex, A, X, Y);
}
template <class T, ConcreteSource<T> S>
void gather_columns(Cuda& ex, const S& A, const index* J, MatrixView<T> C) {
    plain::gather_columns<T>(ex, A, J, C);
}
template <class T>
void gather_entries(Cuda& ex, const EntryOracle<T>& K, const index* I, const index* J,
                    MatrixView<T> B) {
    plain::gather_entries<T>(ex, K, I, J, B);
}
template <class T>
void fill_transposed(Cuda& ex, const SketchOperator& S, index i0, index p0, MatrixView<T> out,
                     double scale = 1) {
    plain::fill_transposed<T>(ex, S, i0, p0, out, scale);
}
template <class T>
void apply_adjoint_sketch(Cuda& ex, const SketchOperator& S, In<T> X, MatrixView<T> Y) {
    plain::apply_adjoint_sketch<T>(ex, S, X, Y);
}

}  // namespace subspan
