// Balanced samples with given inclusion probabilities.
#include "bind/executor.hpp"
#include "host/isa.hpp"
#include "subspan/cube.hpp"
#include "subspan/error.hpp"

namespace subspan::bind {
namespace {

using Doubles = py::array_t<double>;

/// Units enter in the given order; `pi` changes in place, also at units that entered before.
void enter(CubeFlight& flight, const Doubles& rows, const py::array_t<index>& units,
           const Doubles& uniforms, Doubles& pi, const py::object& progress) {
    const index p = flight.constraints(), count = units.size();
    require(rows.ndim() == 2 && (rows.flags() & py::array::c_style) != 0 &&
                rows.shape(0) == count && rows.shape(1) == p,
            "CubeFlight: rows must be C-ordered with a row of ", p, " numbers per unit");
    require(uniforms.size() == count, "CubeFlight: a uniform number per unit");
    const index *unit = units.data(), all = pi.size();
    for (index i = 0; i < count; ++i)
        require(unit[i] >= 0 && unit[i] < all, "CubeFlight: unit ", unit[i], " does not exist");
    const auto poll = poll_of(progress);
    const double *a = rows.data(), *u = uniforms.data();
    double* probabilities = pi.mutable_data();
    const py::gil_scoped_release nogil;
    for (index i = 0; i < count; ++i) {
        if (i % 1024 == 0) poll();
        flight.enter(unit[i], a + i * p, u[i], probabilities);
    }
}

void land_all(const CubeFlight& flight, const Doubles& uniforms, Doubles& pi) {
    require(uniforms.size() >= landing_uniforms(flight.constraints()),
            "CubeFlight: the landing needs ", landing_uniforms(flight.constraints()),
            " uniform numbers");
    for (const auto& [unit, row] : flight.unfinished())
        require(unit < pi.size(), "CubeFlight: unit ", unit, " does not exist");
    const double* u = uniforms.data();
    double* probabilities = pi.mutable_data();
    const py::gil_scoped_release nogil;
    land(flight, u, probabilities);
}

}  // namespace

void register_cube(py::module_& m) {
    py::class_<CubeFlight>(m, "CubeFlight", py::module_local())
        .def(py::init([](index constraints) {
                 require(constraints >= 1 && constraints <= (index{1} << 20),
                         "CubeFlight: constraints=", constraints, " is out of range");
                 return CubeFlight(constraints, column_kernels());
             }),
             py::arg("constraints"))
        .def_property_readonly(
            "landing_uniforms",
            [](const CubeFlight& f) { return landing_uniforms(f.constraints()); })
        .def("enter", &enter, py::arg("rows").noconvert(), py::arg("units").noconvert(),
             py::arg("uniforms").noconvert(), py::arg("pi").noconvert(),
             py::arg("progress") = py::none())
        .def("land", &land_all, py::arg("uniforms").noconvert(), py::arg("pi").noconvert());
}

}  // namespace subspan::bind
