#include "bind/register_select.hpp"

namespace subspan::bind {
void register_select_complex(py::module_& m) {
    register_select<std::complex<float>>(m);
    register_select<std::complex<double>>(m);
}
}  // namespace subspan::bind
