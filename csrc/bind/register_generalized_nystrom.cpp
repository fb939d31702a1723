// Generalised Nystrom approximation as a singular value decomposition.
#include "bind/source.hpp"
#include "subspan/generalized_nystrom.hpp"

namespace subspan::bind {
namespace {

/// The solved core together with the executor that owns its memory.
template <class T>
struct SketchedTwiceHandle {
    std::shared_ptr<Executor> ex;
    SketchedTwice<T, Executor> sketched;
    RotatedSvd<T, Executor> small;
};

template <class T>
SketchedTwiceHandle<T> find(const SourceHandle<T>& A, const SourceHandle<T>& At,
                            const SketchOperator& omega, const SketchOperator& psi,
                            const SketchOperator& probe, bool want_norms,
                            const py::object& progress) {
    SketchedTwiceHandle<T> result{std::make_shared<Executor>(poll_of(progress)), {}, {}};
    Executor& ex = *result.ex;
    const LoadedSource<T> a(ex, A), at(ex, At);
    require(A.rows == At.cols && A.cols == At.rows, "A and its transpose do not match");
    require(omega.dim == A.cols && psi.dim == A.rows && probe.dim == A.rows,
            "the sketches do not match A");
    require(psi.size >= omega.size, "psi needs as many rows as omega or more");
    const Running running;
    result.sketched =
        sketch_twice<T>(ex, BothWays<T>{a.get(), at.get()}, {omega, psi, probe, want_norms});
    solve_core(ex, result.sketched);
    result.small = svd_of_projection<T>(ex, result.sketched.W());
    ex.sync();
    return result;
}

template <class T>
py::array_t<real_t<T>> singular_values(SketchedTwiceHandle<T>& handle) {
    const auto values = fetch(*handle.ex, handle.small.s.data(), handle.small.size);
    return py::array_t<real_t<T>>(static_cast<py::ssize_t>(values.size()), values.data());
}

/// U and Vh of the leading triplets; `gram` becomes the Gram matrix of (G E)^T for the probe G and the
/// error E of these triplets.
template <class T>
void vectors(SketchedTwiceHandle<T>& handle, py::array_t<T, py::array::f_style>& U,
             py::array_t<T>& Vh, py::array_t<T>& probe_gram) {
    Executor& ex = *handle.ex;
    const auto& A = handle.sketched;
    require(U.shape(1) == Vh.shape(0) && U.shape(1) <= handle.small.size && U.shape(0) == A.rows &&
                Vh.shape(1) == A.cols,
            "vectors: shapes do not match");
    Output<T> left(ex, U.mutable_data(), U.size());
    TransposedOutput<T> right(ex, Vh), gram_matrix(ex, probe_gram);
    const MatrixView<T> u(left.data(), U.shape(0), U.shape(1));
    const Running running;
    singular_vectors(ex, A.Q(), A.W(), handle.small, false, u, right.view());
    Buffer<T, Executor> unexplained(ex, A.cols * A.of.probe.size);
    const auto P = unexplained.matrix(A.cols, A.of.probe.size);
    subtract_triplets(ex, A, u, handle.small.s.data(), right.view(), P);
    gram<T>(ex, P, gram_matrix.view());
    left.finish();
    right.finish();
    gram_matrix.finish();
}

template <class T>
void register_dtype(py::module_& m) {
    using Handle = SketchedTwiceHandle<T>;
    py::class_<Handle>(m, dtype_name<T>("SketchedTwice").c_str(), py::module_local())
        .def_property_readonly("passes", [](const Handle& h) { return h.sketched.passes; })
        .def_property_readonly("norm2", [](const Handle& h) { return h.sketched.norm2; })
        .def_property_readonly("probe_norm2",
                               [](const Handle& h) { return h.sketched.probe_norm2; })
        .def("singular_values", &singular_values<T>)
        .def("vectors", &vectors<T>, py::arg("U").noconvert(), py::arg("Vh").noconvert(),
             py::arg("probe_gram").noconvert());
    m.def("generalized_nystrom", &find<T>, py::arg("source"), py::arg("transposed"), py::kw_only(),
          py::arg("omega"), py::arg("psi"), py::arg("probe"), py::arg("want_norms"),
          py::arg("progress"));
}

}  // namespace

void register_generalized_nystrom(py::module_& m) {
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
