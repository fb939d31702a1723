#include "bind/register_select.hpp"

namespace subspan::bind {
void register_select_real(py::module_& m) {
    register_select<float>(m);
    register_select<double>(m);
}
}  // namespace subspan::bind
