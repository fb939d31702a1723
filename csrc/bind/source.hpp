// The matrix A as Python hands it over, and its view on the executor.
#pragma once

#include <optional>
#include <variant>

#include "bind/executor.hpp"
#include "subspan/error.hpp"
#include "subspan/source.hpp"

namespace subspan::bind {

template <class T>
struct SparseArrays {
    py::array_t<T> values;
    py::array_t<index> row_indices, starts;
};

/// `sketch` and `gather` are None for an operator that gives products only.
struct Callbacks {
    py::object multiply, multiply_transpose, sketch, gather;
};

/// What Python holds: the arrays stay alive with it, nothing is copied.
template <class T>
struct SourceHandle {
    index rows = 0, cols = 0;
    std::variant<py::array_t<T, 0>, SparseArrays<T>, Callbacks> holds;
};

template <class T>
DenseSource<T> dense_layout(const py::array_t<T, 0>& A) {
    require(A.ndim() == 2, "A must be 2-d, got ", A.ndim(), " dimensions");
    const auto item = static_cast<index>(sizeof(T));
    const index m = A.shape(0), n = A.shape(1), row = A.strides(0), col = A.strides(1);
    DenseSource<T> source{A.data(), m, n, 0, true};
    const bool by_rows = (col == item || n <= 1) && (row >= n * item || m <= 1) && row % item == 0;
    const bool by_cols = (row == item || m <= 1) && (col >= m * item || n <= 1) && col % item == 0;
    require(by_rows || by_cols, "A needs one unit-stride axis and non-overlapping rows or columns");
    source.by_rows = by_rows;
    source.ld = by_rows ? (m <= 1 ? std::max<index>(n, 1) : row / item)
                        : (n <= 1 ? std::max<index>(m, 1) : col / item);
    return source;
}

/// The caller's own memory as an array, which a callback may write to but not keep.
template <class T>
py::object lent(MatrixView<T> Y) {
    if (Y.cols == 0) return py::none();
    const auto item = static_cast<py::ssize_t>(sizeof(T));
    const py::capsule owner(Y.data, [](void*) {});  // marks the memory as not ours to free
    return py::array_t<T>({Y.rows, Y.cols}, {item, Y.ld * item}, Y.data, owner);
}

/// Product callback: Python writes the result of A @ X (or A.T @ X) into the second argument. X is a
/// copy, which the caller's operator may keep.
template <class T>
std::function<void(In<T>, MatrixView<T>)> product(const py::object& callable) {
    return [function = callable.ptr()](In<T> X, MatrixView<T> Y) {
        const LentThreads lent_threads;
        py::gil_scoped_acquire gil;
        const auto item = static_cast<py::ssize_t>(sizeof(T));
        const py::array_t<T> x({X.rows, X.cols}, {item, X.ld * item}, X.data);
        py::reinterpret_borrow<py::object>(function)(x, lent(Y));
    };
}

/// Sketch callback: Python writes ``(S A)^T`` into Y, ``(G A)^T`` into P and the squared column norms;
/// what is not wanted is None.
template <class T>
std::function<void(const SketchPass<T>&)> whole_pass(const py::object& callable, index cols) {
    if (callable.is_none()) return {};
    return [function = callable.ptr(), cols](const SketchPass<T>& pass) {
        const LentThreads lent_threads;
        py::gil_scoped_acquire gil;
        const MatrixView<double> norms2(pass.norms2, cols, pass.norms2 != nullptr ? 1 : 0);
        py::reinterpret_borrow<py::object>(function)(pass.sketch, lent(pass.Y), pass.probe,
                                                     lent(pass.P), lent(norms2));
    };
}

/// Columns callback: Python writes ``A[:, J]`` into C.
template <class T>
std::function<void(const index*, MatrixView<T>)> columns(const py::object& callable) {
    if (callable.is_none()) return {};
    return [function = callable.ptr()](const index* J, MatrixView<T> C) {
        const LentThreads lent_threads;
        py::gil_scoped_acquire gil;
        const py::array_t<index> wanted(C.cols, J);
        py::reinterpret_borrow<py::object>(function)(wanted, lent(C));
    };
}

/// The source on the executor, for the length of one call. Create with the GIL held.
template <class T>
class LoadedSource {
  public:
    LoadedSource(Executor& ex, const SourceHandle<T>& handle)
        : source_(
              std::visit([&](const auto& held) { return load(ex, handle, held); }, handle.holds)) {}
    const AnySource<T>& get() const { return source_; }

  private:
    AnySource<T> load(Executor& ex, const SourceHandle<T>&, const py::array_t<T, 0>& array) {
        DenseSource<T> dense = dense_layout(array);
        const index outer = dense.by_rows ? dense.rows : dense.cols;
        const index inner = dense.by_rows ? dense.cols : dense.rows;
        const index span = outer > 0 && inner > 0 ? (outer - 1) * dense.ld + inner : 0;
        dense.data = values_.emplace(ex, dense.data, span).data();
        return AnySource<T>(dense);
    }
    AnySource<T> load(Executor& ex, const SourceHandle<T>& handle, const SparseArrays<T>& arrays) {
        SparseSource<T> sparse;
        sparse.rows = handle.rows;
        sparse.cols = handle.cols;
        sparse.values = values_.emplace(ex, arrays.values.data(), arrays.values.size()).data();
        sparse.row_indices =
            indices_.emplace(ex, arrays.row_indices.data(), arrays.row_indices.size()).data();
        sparse.starts = starts_.emplace(ex, arrays.starts.data(), arrays.starts.size()).data();
        return AnySource<T>(sparse);
    }
    AnySource<T> load(Executor&, const SourceHandle<T>& handle, const Callbacks& callbacks) {
        return AnySource<T>(OperatorSource<T>{
            handle.rows, handle.cols, product<T>(callbacks.multiply),
            product<T>(callbacks.multiply_transpose), whole_pass<T>(callbacks.sketch, handle.cols),
            columns<T>(callbacks.gather)});
    }

    std::optional<Input<T>> values_;
    std::optional<Input<index>> indices_, starts_;
    AnySource<T> source_;
};

/// Python class name of a per-dtype type: prefix + S, D, C or Z.
template <class T>
std::string dtype_name(const char* prefix) {
    constexpr bool single = std::is_same_v<real_t<T>, float>;
    return std::string(prefix) + (is_complex<T> ? (single ? "C" : "Z") : (single ? "S" : "D"));
}

}  // namespace subspan::bind
