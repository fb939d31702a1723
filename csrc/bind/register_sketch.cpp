// Sketch operators and their products.
#include "bind/source.hpp"
#include "subspan/error.hpp"
#include "subspan/sampling.hpp"

namespace subspan::bind {
namespace {

SketchOperator make_operator(int kind, index size, index dim, int nnz, std::uint64_t seed,
                             std::uint32_t operand, std::uint32_t repetition) {
    require(kind >= 0 && kind <= 3, "unknown sketch kind ", kind);
    require(size >= 0 && size < (index{1} << 24), "size=", size, " must lie in [0, 2**24)");
    require(dim >= 0 && dim < (index{1} << 40), "dim=", dim, " must lie in [0, 2**40)");
    require(nnz >= 1 && (nnz <= size || size == 0), "nnz=", nnz, " must lie in [1, size=", size,
            "]");
    require(operand < (1u << 16), "operand=", operand, " must be below 65536");
    SketchOperator S;
    S.kind = static_cast<SketchKind>(kind);
    S.size = size;
    S.dim = dim;
    S.nnz = nnz;
    S.id = {RngKey(seed), operand, repetition};
    return S;
}

template <class T>
void register_dtype(py::module_& m) {
    m.def(
        "sketch",
        [](const SketchOperator& S, const SourceHandle<T>& handle, py::array_t<T> out,
           const py::object& progress) {
            require(S.dim == handle.rows && out.ndim() == 2 && out.shape(0) == S.size &&
                        out.shape(1) == handle.cols,
                    "sketch: shapes do not match");
            Executor ex(poll_of(progress));
            const LoadedSource<T> A(ex, handle);
            TransposedOutput<T> Y(ex, out);
            const Running running;
            sketch(ex, A.get(), S, Y.view());
            Y.finish();
        },
        py::arg("S"), py::arg("source"), py::arg("out").noconvert(),
        py::arg("progress") = py::none());
    m.def(
        "sketch_adjoint",
        [](const SketchOperator& S, const py::array_t<T, py::array::f_style>& X,
           py::array_t<T, py::array::f_style> out) {
            require(X.ndim() == 2 && out.ndim() == 2 && X.shape(0) == S.size &&
                        out.shape(0) == S.dim && out.shape(1) == X.shape(1),
                    "sketch_adjoint: shapes do not match");
            Executor ex(poll_of(py::none()));
            const Input<T> x(ex, X.data(), X.size());
            Output<T> y(ex, out.mutable_data(), out.size());
            const In<T> view(x.data(), X.shape(0), X.shape(1));
            const MatrixView<T> Y(y.data(), out.shape(0), out.shape(1));
            const Running running;
            apply_adjoint_sketch<T>(ex, S, view, Y);
            y.finish();
        },
        py::arg("S"), py::arg("X").noconvert(), py::arg("out").noconvert());
    m.def(
        "sketch_tile",
        [](const SketchOperator& S, index i0, index p0, py::array_t<T> out) {
            require(i0 >= 0 && i0 % 16 == 0 && i0 + out.shape(0) <= S.size && p0 >= 0 &&
                        p0 + out.shape(1) <= S.dim,
                    "sketch_tile: the tile leaves the operator");
            Executor ex(poll_of(py::none()));
            TransposedOutput<T> tile(ex, out);
            const Running running;
            fill_transposed<T>(ex, S, i0, p0, tile.view(), S.isometry_scale());
            tile.finish();
        },
        py::arg("S"), py::arg("i0"), py::arg("p0"), py::arg("out").noconvert());
}

/// Rows that a subsampled orthogonal transform of the given order keeps.
py::array_t<index> sampled_rows(const SketchOperator& S, index order) {
    py::array_t<index> rows(S.size);
    for (index i = 0; i < S.size; ++i)
        rows.mutable_at(i) = static_cast<index>(
            permuted(S.id, static_cast<std::uint64_t>(order), static_cast<std::uint64_t>(i)));
    return rows;
}

/// The random signs D of a subsampled orthogonal transform.
py::array_t<double> transform_signs(const SketchOperator& S) {
    py::array_t<double> signs(S.dim);
    for (index p = 0; p < S.dim; ++p)
        signs.mutable_at(p) = hadamard_sign(S.id, static_cast<std::uint64_t>(p));
    return signs;
}

/// `count` uniform numbers in (0, 1) for row sampling.
py::array_t<double> sampling_uniforms(const SketchOperator& S) {
    py::array_t<double> u(S.size);
    for (index i = 0; i < S.size; ++i)
        u.mutable_at(i) = uniform_at(S.id, Stream::RowSampling, i, 0);
    return u;
}

}  // namespace

void register_sketch(py::module_& m) {
    py::class_<SketchOperator>(m, "SketchOperator", py::module_local())
        .def(py::init(&make_operator), py::arg("kind"), py::arg("size"), py::arg("dim"),
             py::arg("nnz"), py::arg("seed"), py::arg("operand") = 0, py::arg("repetition") = 0)
        .def(
            "columns",
            [](const SketchOperator& S, index from, index count) {
                require(S.kind != SketchKind::Hadamard && from >= 0 && count >= 0 &&
                            from + count <= S.dim,
                        "columns: out of range, or a transform");
                return S.columns(from, count);
            },
            py::arg("first"), py::arg("count"))
        .def(py::pickle(
            [](const SketchOperator& S) {
                const std::uint64_t seed = S.id.key.lo | std::uint64_t{S.id.key.hi} << 32;
                return py::make_tuple(static_cast<int>(S.kind), S.size, S.dim, S.nnz, seed,
                                      S.id.operand, S.id.repetition, S.first);
            },
            [](const py::tuple& state) {
                SketchOperator S = make_operator(
                    state[0].cast<int>(), state[1].cast<index>(), state[2].cast<index>(),
                    state[3].cast<int>(), state[4].cast<std::uint64_t>(),
                    state[5].cast<std::uint32_t>(), state[6].cast<std::uint32_t>());
                S.first = state[7].cast<index>();
                return S;
            }))
        .def_readonly("size", &SketchOperator::size)
        .def_readonly("dim", &SketchOperator::dim)
        .def_property_readonly("isometry_scale", &SketchOperator::isometry_scale);
    m.def("sampled_rows", sampled_rows, py::arg("S"), py::arg("order"));
    m.def("transform_signs", transform_signs, py::arg("S"));
    m.def("sampling_uniforms", sampling_uniforms, py::arg("S"));
    register_dtype<float>(m);
    register_dtype<double>(m);
    register_dtype<std::complex<float>>(m);
    register_dtype<std::complex<double>>(m);
}

}  // namespace subspan::bind
