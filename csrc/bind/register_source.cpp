// Wrapping A: dense, sparse, operator.
#include "bind/source.hpp"

#include "subspan/error.hpp"

namespace subspan::bind {
namespace {

template <class T>
void register_dtype(py::module_& m) {
    py::class_<SourceHandle<T>>(m, dtype_name<T>("Source").c_str(), py::module_local())
        .def_property_readonly(
            "shape", [](const SourceHandle<T>& s) { return py::make_tuple(s.rows, s.cols); });
    m.def(
        "dense_source",
        [](const py::array_t<T, 0>& A) {
            dense_layout(A);
            return SourceHandle<T>{A.shape(0), A.shape(1), A};
        },
        py::arg("A").noconvert());
    m.def(
        "sparse_source",
        [](const py::array_t<T>& values, const py::array_t<index>& row_indices,
           const py::array_t<index>& starts, index rows, index cols) {
            require(starts.size() == cols + 1 && row_indices.size() == values.size(),
                    "inconsistent compressed columns");
            const auto start = starts.template unchecked<1>();
            const auto row = row_indices.template unchecked<1>();
            require(start(0) == 0 && start(cols) == values.size(), "inconsistent column starts");
            for (index j = 0; j < cols; ++j)
                require(start(j) <= start(j + 1), "column starts decrease at column ", j);
            for (index e = 0; e < values.size(); ++e)
                require(row(e) >= 0 && row(e) < rows, "row index ", row(e), " is out of range");
            return SourceHandle<T>{rows, cols, SparseArrays<T>{values, row_indices, starts}};
        },
        py::arg("values").noconvert(), py::arg("row_indices").noconvert(),
        py::arg("starts").noconvert(), py::arg("rows"), py::arg("cols"));
    m.def(
        dtype_name<T>("operator_source_").c_str(),
        [](index rows, index cols, py::object multiply, py::object multiply_transpose,
           py::object sketch, py::object gather) {
            return SourceHandle<T>{rows, cols,
                                   Callbacks{std::move(multiply), std::move(multiply_transpose),
                                             std::move(sketch), std::move(gather)}};
        },
        py::arg("rows"), py::arg("cols"), py::arg("multiply"), py::arg("multiply_transpose"),
        py::arg("sketch") = py::none(), py::arg("gather") = py::none());
    m.def(
        "column_norms2",
        [](const SourceHandle<T>& handle, py::array_t<double> out, const py::object& progress) {
            Executor ex(poll_of(progress));
            const LoadedSource<T> A(ex, handle);
            Output<double> norms2(ex, out.mutable_data(), out.size());
            const Running running;
            SketchPass<T> pass;
            pass.norms2 = norms2.data();
            sketch_pass(ex, A.get(), pass);
            norms2.finish();
        },
        py::arg("source"), py::arg("out"), py::arg("progress") = py::none());
    m.def(
        "sketch_pass",
        [](const SourceHandle<T>& handle, const SketchOperator& S, py::array_t<T> SA,
           const SketchOperator& G, py::array_t<T> GA, py::array_t<double> norms2) {
            require((S.size == 0 || S.dim == handle.rows) && SA.ndim() == 2 &&
                        SA.shape(0) == S.size && SA.shape(1) == handle.cols &&
                        (G.size == 0 || G.dim == handle.rows) && GA.ndim() == 2 &&
                        GA.shape(0) == G.size && GA.shape(1) == handle.cols &&
                        (norms2.size() == 0 || norms2.size() == handle.cols),
                    "sketch_pass: shapes do not match");
            Executor ex(poll_of(py::none()));
            const LoadedSource<T> A(ex, handle);
            TransposedOutput<T> Y(ex, SA), P(ex, GA);
            Output<double> squares(ex, norms2.mutable_data(), norms2.size());
            SketchPass<T> pass{S, Y.view(), G, P.view(),
                               norms2.size() > 0 ? squares.data() : nullptr};
            const Running running;
            sketch_pass(ex, A.get(), pass);
            Y.finish();
            P.finish();
            squares.finish();
        },
        py::arg("source"), py::arg("S"), py::arg("SA").noconvert(), py::arg("G"),
        py::arg("GA").noconvert(), py::arg("norms2").noconvert());
    m.def(
        "gather_columns",
        [](const SourceHandle<T>& handle, const py::array_t<index>& J,
           py::array_t<T, py::array::f_style> out) {
            require(out.ndim() == 2 && out.shape(0) == handle.rows && out.shape(1) == J.size(),
                    "gather_columns: shapes do not match");
            for (index j = 0; j < J.size(); ++j)
                require(J.at(j) >= 0 && J.at(j) < handle.cols, "column ", J.at(j),
                        " does not exist");
            Executor ex(poll_of(py::none()));
            const LoadedSource<T> A(ex, handle);
            const Input<index> columns(ex, J.data(), J.size());
            Output<T> gathered(ex, out.mutable_data(), out.size());
            const MatrixView<T> C(gathered.data(), out.shape(0), out.shape(1));
            const Running running;
            gather_columns(ex, A.get(), columns.data(), C);
            gathered.finish();
        },
        py::arg("source"), py::arg("J").noconvert(), py::arg("out").noconvert());
}

}  // namespace

void register_source(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
