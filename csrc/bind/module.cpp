// The compiled module. Private: people meet the Python functions that call it.
#include "bind/executor.hpp"
#include "subspan/error.hpp"

namespace subspan::bind {
void register_config(py::module_&);
void register_sketch(py::module_&);
void register_source(py::module_&);
void register_select_real(py::module_&);
void register_select_complex(py::module_&);
void register_qr(py::module_&);
void register_cur(py::module_&);
void register_range(py::module_&);
void register_cholesky(py::module_&);
void register_batch(py::module_&);
void register_eigh(py::module_&);
void register_generalized_nystrom(py::module_&);
void register_cube(py::module_&);
#if defined(SUBSPAN_BIND_CUDA)
void register_device(py::module_&);
#endif
}  // namespace subspan::bind

PYBIND11_MODULE(SUBSPAN_MODULE, m) {
    namespace py = pybind11;
    using namespace subspan;
    py::register_exception_translator([](std::exception_ptr thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const InvalidArgument& e) {
            PyErr_SetString(PyExc_ValueError, e.what());
        } catch (const OutOfRange& e) {
            PyErr_SetString(PyExc_FloatingPointError, e.what());
        } catch (const NumericalError& e) {
            const auto error = py::module_::import("numpy.linalg").attr("LinAlgError");
            PyErr_SetString(error.ptr(), e.what());
        } catch (const DeviceError& e) {
            PyErr_SetString(PyExc_RuntimeError, e.what());
        }
    });
    bind::register_config(m);
    bind::register_sketch(m);
    bind::register_source(m);
    bind::register_select_real(m);
    bind::register_select_complex(m);
    bind::register_qr(m);
    bind::register_cur(m);
    bind::register_range(m);
    bind::register_cholesky(m);
    bind::register_batch(m);
    bind::register_eigh(m);
    bind::register_generalized_nystrom(m);
    bind::register_cube(m);
#if defined(SUBSPAN_BIND_CUDA)
    bind::register_device(m);
#endif
}
