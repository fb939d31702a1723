// Whether there is a device for this module; the CUDA module alone has this.
#include "bind/executor.hpp"

namespace subspan::bind {

void register_device(py::module_& m) {
    m.def("device_count", &cuda_device_count);
}

}  // namespace subspan::bind
