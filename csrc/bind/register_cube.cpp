// Balanced samples with given inclusion probabilities.
#include "bind/executor.hpp"
#include "subspan/cube.hpp"
#include "subspan/error.hpp"

namespace subspan::bind {
namespace {

/// Rounds `pi` in place; `order` lists the units that are neither 0 nor 1.
void cube(const py::array_t<double>& rows, const py::array_t<index>& order,
          const py::array_t<double>& uniforms, py::array_t<double>& pi,
          const py::object& progress) {
    require(rows.ndim() == 2 && (rows.flags() & py::array::c_style) != 0 &&
                rows.shape(0) == pi.size() && rows.shape(1) >= 1,
            "cube: rows must be C-ordered with a row per unit");
    require(uniforms.size() > order.size(), "cube: a uniform number per unit, and one more");
    std::vector<index> units(order.data(), order.data() + order.size());
    for (const index unit : units)
        require(unit >= 0 && unit < pi.size(), "cube: unit ", unit, " does not exist");
    const auto poll = poll_of(progress);
    const double *a = rows.data(), *u = uniforms.data();
    double* probabilities = pi.mutable_data();
    const index constraints = rows.shape(1);
    const py::gil_scoped_release nogil;
    cube_sample(a, constraints, std::move(units), u, probabilities, poll);
}

}  // namespace

void register_cube(py::module_& m) {
    m.def("cube", &cube, py::arg("rows").noconvert(), py::arg("order").noconvert(),
          py::arg("uniforms").noconvert(), py::arg("pi").noconvert(),
          py::arg("progress") = py::none());
}

}  // namespace subspan::bind
