// Leading eigenpairs of Hermitian and positive semidefinite matrices.
#include "bind/source.hpp"
#include "subspan/nystrom.hpp"

namespace subspan::bind {
namespace {

/// Eigenpairs together with the executor that owns their memory.
template <class T>
struct EigenHandle {
    std::shared_ptr<Executor> ex;
    Eigenpairs<T, Executor> pairs;
    SketchOperator probe;
};

template <class T>
EigenHandle<T> find(const SourceHandle<T>& A, const SourceHandle<T>& At, const std::string& method,
                    index size, index rank, int power_iterations, bool semidefinite,
                    const SketchOperator& sketch, const SketchOperator& probe, bool want_norms,
                    const py::object& progress) {
    EigenHandle<T> result{std::make_shared<Executor>(poll_of(progress)), {}, probe};
    Executor& ex = *result.ex;
    const LoadedSource<T> a(ex, A), at(ex, At);
    require(A.rows == A.cols && At.rows == A.rows && At.cols == A.rows, "A must be square");
    require(rank <= size && size <= A.rows, "rank, size and the order of A must ascend");
    const BothWays<T> both{a.get(), at.get()};
    RangeOptions options;
    options.size = options.block = size;
    options.power_iterations = power_iterations;
    options.krylov = method == "block_krylov";
    options.project = true;
    options.sketch = sketch;
    options.probe = probe;
    options.want_norms = want_norms;
    const Running running;
    if (method == "full")
        result.pairs = whole_pairs<T>(ex, both.A, rank, semidefinite);
    else if (method == "nystrom")
        result.pairs = nystrom_pairs<T>(ex, both, options, rank);
    else
        result.pairs = ritz_pairs<T>(ex, both, options, rank, semidefinite);
    ex.sync();
    return result;
}

template <class T>
void vectors(EigenHandle<T>& handle, py::array_t<T, py::array::f_style>& out) {
    Executor& ex = *handle.ex;
    const auto V = handle.pairs.V();
    require(out.ndim() == 2 && out.shape(0) == V.rows && out.shape(1) == V.cols,
            "vectors: shapes do not match");
    const auto bytes = static_cast<std::size_t>(out.size()) * sizeof(T);
    if (bytes > 0) ex.copy_to_host(out.mutable_data(), V.data, bytes);
}

/// Gram matrix of (A - V diag(w) V^H) G^T for the probe G; its trace estimates the squared error.
template <class T>
void residual_gram(EigenHandle<T>& handle, py::array_t<T>& out) {
    Executor& ex = *handle.ex;
    const auto AG = handle.pairs.range.probe_matrix();
    Buffer<T, Executor> left(ex, AG.rows * AG.cols);
    const auto P = left.matrix(AG.rows, AG.cols);
    TransposedOutput<T> gram_matrix(ex, out);
    const Running running;
    subtract_pairs(ex, handle.pairs, handle.probe, P);
    gram<T>(ex, P, gram_matrix.view());
    gram_matrix.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    using Handle = EigenHandle<T>;
    py::class_<Handle>(m, dtype_name<T>("Eigenpairs").c_str(), py::module_local())
        .def_property_readonly("passes", [](const Handle& h) { return h.pairs.range.passes; })
        .def_property_readonly("norm2", [](const Handle& h) { return h.pairs.range.norm2; })
        .def_property_readonly("probe_norm2",
                               [](const Handle& h) { return h.pairs.range.probe_norm2; })
        .def_property_readonly("residual2", [](const Handle& h) { return h.pairs.residual2; })
        .def_property_readonly("shift", [](const Handle& h) { return h.pairs.shift; })
        .def_property_readonly("values",
                               [](const Handle& h) {
                                   return py::array_t<double>(
                                       static_cast<py::ssize_t>(h.pairs.values.size()),
                                       h.pairs.values.data());
                               })
        .def("vectors", &vectors<T>, py::arg("out").noconvert())
        .def("residual_gram", &residual_gram<T>, py::arg("out").noconvert());
    m.def("find_eigenpairs", &find<T>, py::arg("source"), py::arg("transposed"), py::kw_only(),
          py::arg("method"), py::arg("size"), py::arg("rank"), py::arg("power_iterations"),
          py::arg("semidefinite"), py::arg("sketch"), py::arg("probe"), py::arg("want_norms"),
          py::arg("progress"));
}

}  // namespace

void register_eigh(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
