// Range finder and randomized SVD.
#include <pybind11/stl.h>

#include "bind/source.hpp"
#include "subspan/svd.hpp"

namespace subspan::bind {
namespace {

/// A basis together with the executor that owns its memory; `small` once it is decomposed.
template <class T>
struct RangeHandle {
    std::shared_ptr<Executor> ex;
    Range<T, Executor> range;
    SketchOperator probe;
    std::optional<RotatedSvd<T, Executor>> small;
};

template <class T>
RangeHandle<T> find(const SourceHandle<T>& A, const SourceHandle<T>& At, index size, index block,
                    int power_iterations, bool krylov, bool project, bool to_tolerance,
                    double tolerance, double relative, double probe_factor,
                    const SketchOperator& sketch, const SketchOperator& probe, bool want_norms,
                    const py::object& progress) {
    RangeHandle<T> result{std::make_shared<Executor>(poll_of(progress)), {}, probe, {}};
    Executor& ex = *result.ex;
    const LoadedSource<T> a(ex, A), at(ex, At);
    RangeOptions options;
    options.size = size;
    options.block = block;
    options.power_iterations = power_iterations;
    options.krylov = krylov;
    options.project = project;
    options.to_tolerance = to_tolerance;
    options.tolerance = tolerance;
    options.relative = relative;
    options.probe_factor = probe_factor;
    options.sketch = sketch;
    options.probe = probe;
    options.want_norms = want_norms;
    require(A.rows == At.cols && A.cols == At.rows, "A and its transpose do not match");
    const Running running;
    result.range = find_range<T>(ex, BothWays<T>{a.get(), at.get()}, options);
    ex.sync();
    return result;
}

template <class T>
RangeHandle<T> factor(const SourceHandle<T>& A, const py::object& progress) {
    RangeHandle<T> result{std::make_shared<Executor>(poll_of(progress)), {}, {}, {}};
    const LoadedSource<T> a(*result.ex, A);
    require(A.rows >= A.cols, "factor_whole expects a tall matrix");
    const Running running;
    result.range = factor_whole<T>(*result.ex, a.get());
    result.ex->sync();
    return result;
}

/// A Fortran-ordered result.
template <class T>
MatrixView<T> view_of(Output<T>& output, const py::array_t<T, py::array::f_style>& array) {
    return {output.data(), array.shape(0), array.shape(1)};
}

template <class T>
void basis(RangeHandle<T>& handle, py::array_t<T, py::array::f_style>& out) {
    Executor& ex = *handle.ex;
    require(out.shape(0) == handle.range.rows && out.shape(1) == handle.range.size,
            "basis: shapes do not match");
    Output<T> Q(ex, out.mutable_data(), out.size());
    const Running running;
    copy<Executor, T>(ex, handle.range.Q(), view_of(Q, out));
    Q.finish();
}

template <class T>
py::array_t<real_t<T>> singular_values(RangeHandle<T>& handle) {
    Executor& ex = *handle.ex;
    std::vector<real_t<T>> values;
    {
        const Running running;
        handle.small = svd_of_projection<T>(ex, handle.range.Bt());
        values = fetch(ex, handle.small->s.data(), handle.small->size);
    }
    return py::array_t<real_t<T>>(static_cast<py::ssize_t>(values.size()), values.data());
}

template <class T>
void vectors(RangeHandle<T>& handle, py::array_t<T, py::array::f_style>& U, py::array_t<T>& Vh) {
    Executor& ex = *handle.ex;
    require(handle.small.has_value(), "singular_values() comes first");
    require(U.shape(1) == Vh.shape(0) && U.shape(1) <= handle.small->size &&
                U.shape(0) == handle.range.rows && Vh.shape(1) == handle.range.cols,
            "vectors: shapes do not match");
    Output<T> left(ex, U.mutable_data(), U.size());
    TransposedOutput<T> right(ex, Vh);
    const Running running;
    singular_vectors(ex, handle.range.Q(), handle.range.Bt(), *handle.small, view_of(left, U),
                     right.view());
    left.finish();
    right.finish();
}

/// Gram matrix of (A - Q Q^H A) G^T for the probe G; its trace estimates the squared error.
template <class T>
void residual_gram(RangeHandle<T>& handle, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const auto AG = handle.range.probe_matrix();
    require(out.shape(0) == AG.cols && out.shape(1) == AG.cols, "residual_gram: out must be ",
            AG.cols, " by ", AG.cols);
    Buffer<T, Executor> left(ex, AG.rows * AG.cols);
    const auto P = left.matrix(AG.rows, AG.cols);
    TransposedOutput<T> gram_matrix(ex, out);
    const Running running;
    copy<Executor, T>(ex, AG, P);
    project_out(ex, handle.range.Q(), P);
    gram<T>(ex, P, gram_matrix.view());
    gram_matrix.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    using Handle = RangeHandle<T>;
    py::class_<Handle>(m, dtype_name<T>("Range").c_str(), py::module_local())
        .def_property_readonly("size", [](const Handle& h) { return h.range.size; })
        .def_property_readonly("passes", [](const Handle& h) { return h.range.passes; })
        .def_property_readonly("norm2", [](const Handle& h) { return h.range.norm2; })
        .def_property_readonly("probe_norm2", [](const Handle& h) { return h.range.probe_norm2; })
        .def_property_readonly("residual2", [](const Handle& h) { return h.range.residual2; })
        .def_property_readonly("leave_one_out",
                               [](const Handle& h) { return h.range.leave_one_out; })
        .def_property_readonly("stop",
                               [](const Handle& h) { return static_cast<int>(h.range.stop); })
        .def_property_readonly("history",
                               [](const Handle& h) {
                                   py::list rows;
                                   for (const HistoryEntry& e : h.range.history)
                                       rows.append(py::make_tuple(e.rank, e.residual, e.exact,
                                                                  e.accepted, e.proposed));
                                   return rows;
                               })
        .def("basis", &basis<T>, py::arg("out").noconvert())
        .def("singular_values", &singular_values<T>)
        .def("vectors", &vectors<T>, py::arg("U").noconvert(), py::arg("Vh").noconvert())
        .def("residual_gram", &residual_gram<T>, py::arg("out").noconvert());
    m.def("find_range", &find<T>, py::arg("source"), py::arg("transposed"), py::kw_only(),
          py::arg("size"), py::arg("block"), py::arg("power_iterations"), py::arg("krylov"),
          py::arg("project"), py::arg("to_tolerance"), py::arg("tolerance"), py::arg("relative"),
          py::arg("probe_factor"), py::arg("sketch"), py::arg("probe"), py::arg("want_norms"),
          py::arg("progress"));
    m.def("factor_whole", &factor<T>, py::arg("source"), py::arg("progress"));
}

}  // namespace

void register_range(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
