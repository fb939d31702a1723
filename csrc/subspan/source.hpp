// What can stand for the matrix A: dense in either order, compressed sparse columns, an operator, or
// a matrix read in blocks.
//
// A source answers a few questions; every algorithm is written over these and over nothing else:
//   A.rows, A.cols
//   sketch_pass(ex, A, pass)           sketch, probe and column norms in one reading of A
//   apply(ex, A, X, Y)                 Y = A X
//   apply_transpose(ex, A, X, Y)       Y = A^T X
//   gather_columns(ex, A, J, C)        C = A[:, J]
// Row problems are column problems of the transpose, which for all of these is another view.
#pragma once

#include <functional>
#include <variant>

#include "subspan/exec.hpp"
#include "subspan/kernels.hpp"
#include "subspan/sketch_operator.hpp"
#include "subspan/types.hpp"

namespace subspan {

/// Rows-by-cols matrix in somebody else's memory, stored by rows or by columns.
template <class T>
struct DenseSource {
    using value_type = T;
    const T* data = nullptr;
    index rows = 0, cols = 0;
    index ld = 0;  // entries between neighbouring rows (by_rows) or columns
    bool by_rows = false;

    /// The memory as a column-major matrix: A itself, or its transpose when stored by rows.
    In<T> stored() const {
        return by_rows ? In<T>(data, cols, rows, ld) : In<T>(data, rows, cols, ld);
    }
};

template <class T>
DenseSource<T> dense_source(In<T> A) {
    return {A.data, A.rows, A.cols, A.ld, false};
}

/// Compressed sparse columns: entries of column j are values[starts[j] .. starts[j+1]).
template <class T>
struct SparseSource {
    using value_type = T;
    index rows = 0, cols = 0;
    const T* values = nullptr;
    const index* row_indices = nullptr;
    const index* starts = nullptr;
};

/// What one reading of A produces; an empty view or null pointer leaves that part out.
template <class T>
struct SketchPass {
    SketchOperator sketch;
    MatrixView<T> Y;  // cols-by-size: (S A)^T, scaled
    SketchOperator probe;
    MatrixView<T> P;           // cols-by-size: (G A)^T for the independent Gaussian probe G, scaled
    double* norms2 = nullptr;  // squared column norms; not finite where A is not
};

/// A known through callbacks, which may throw: its products and, where A is read in blocks and every
/// reading counts, the other two questions, which products would answer in several readings.
template <class T>
struct OperatorSource {
    using value_type = T;
    index rows = 0, cols = 0;
    std::function<void(In<T> X, MatrixView<T> Y)> multiply;            // Y = A X
    std::function<void(In<T> X, MatrixView<T> Y)> multiply_transpose;  // Y = A^T X
    std::function<void(const SketchPass<T>&)> sketch;                  // or empty: by products
    std::function<void(const index* J, MatrixView<T> C)> gather;       // or empty: by products
};

/// Any of them, chosen at run time, so that an algorithm is compiled once per type.
template <class T>
struct AnySource {
    using value_type = T;
    index rows = 0, cols = 0;
    std::variant<DenseSource<T>, SparseSource<T>, OperatorSource<T>> is;

    template <class S>
    explicit AnySource(const S& source) : rows(source.rows), cols(source.cols), is(source) {}
};

template <class E, class T>
void sketch_pass(E& ex, const AnySource<T>& A, const SketchPass<T>& pass) {
    std::visit([&](const auto& a) { sketch_pass(ex, a, pass); }, A.is);
}
// A product with no columns is nothing, and no reason to read A or to call an operator back.
template <class E, class T>
void apply(E& ex, const AnySource<T>& A, MatrixView<T> X, MatrixView<T> Y) {
    if (X.cols == 0) return;
    std::visit([&](const auto& a) { apply(ex, a, X, Y); }, A.is);
}
template <class E, class T>
void apply_transpose(E& ex, const AnySource<T>& A, MatrixView<T> X, MatrixView<T> Y) {
    if (X.cols == 0) return;
    std::visit([&](const auto& a) { apply_transpose(ex, a, X, Y); }, A.is);
}
template <class E, class T>
void gather_columns(E& ex, const AnySource<T>& A, const index* J, MatrixView<T> C) {
    std::visit([&](const auto& a) { gather_columns(ex, a, J, C); }, A.is);
}

/// Y = (S A)^T alone.
template <class E, class S>
void sketch(E& ex, const S& A, const SketchOperator& op, MatrixView<typename S::value_type> Y) {
    SketchPass<typename S::value_type> pass;
    pass.sketch = op;
    pass.Y = Y;
    sketch_pass(ex, A, pass);
}

/// Y = A^T conj(X), X being conjugated in place.
template <class T, class E, class S>
void apply_adjoint(E& ex, const S& A, MatrixView<T> X, MatrixView<T> Y) {
    if constexpr (is_complex<T>) for_each_entry(ex, X.rows, X.cols, ConjugateEntry<T>{X, X});
    apply_transpose(ex, A, X, Y);
}

/// Wt = (Q^H A)^T, one pass over A; Q is conjugated and restored.
template <class T, class E, class S>
void project(E& ex, const S& A, MatrixView<T> Q, MatrixView<T> Wt) {
    apply_adjoint(ex, A, Q, Wt);
    if constexpr (is_complex<T>) for_each_entry(ex, Q.rows, Q.cols, ConjugateEntry<T>{Q, Q});
}

}  // namespace subspan
