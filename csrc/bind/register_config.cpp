// Which BLAS, which instruction set, how many threads.
#include "bind/executor.hpp"
#include "host/exec.hpp"
#include "host/isa.hpp"
#include "host/lapack_table.hpp"
#include "host/shared_library.hpp"
#include "subspan/error.hpp"

namespace subspan::bind {
namespace {

bool blas_from_library(const std::string& path, const std::string& source, bool load) {
    void* handle = open_library(path, load);
    return handle != nullptr && lapack_table().load_library(handle, source);
}

/// SciPy's Cython capsules: the capsule's name is the C signature, which tells the integer width.
void blas_from_capsules(const py::dict& capsules, const std::string& path) {
    bool wide = false;
    for (const char letter : {'s', 'd', 'c', 'z'})
        for (const std::string& name : LapackTable::names(letter)) {
            require(capsules.contains(name.c_str()), "SciPy has no capsule for ", name);
            PyObject* capsule = py::object(capsules[name.c_str()]).ptr();
            const char* signature = PyCapsule_GetName(capsule);
            const std::string text = signature != nullptr ? signature : "";
            wide = text.find("64") != std::string::npos || text.find("long") != std::string::npos;
            require(wide || text.find("int *") != std::string::npos, "SciPy's capsule for ", name,
                    " has an unknown signature: ", text);
            lapack_table().set(name, PyCapsule_GetPointer(capsule, signature));
        }
    lapack_table().finish("scipy", wide, open_library(path, false));
}

py::dict config() {
    py::dict info;
    info["blas"] = lapack_table().source();
    info["blas_library"] = lapack_table().library_config();
    info["blas_integers"] = lapack_table().ilp64() ? 64 : 32;
    info["threads"] = lapack_table().threads();
    info["isa"] = isa_name();
    return info;
}

}  // namespace

void register_config(py::module_& m) {
    m.def("blas_from_library", blas_from_library, py::arg("path"), py::arg("source"),
          py::arg("load"));
    m.def("blas_from_capsules", blas_from_capsules, py::arg("capsules"), py::arg("path"));
    m.def("config", config);
    m.def("set_thread_limit", set_thread_limit, py::arg("threads"));
    m.attr("counter_layout_version") = counter_layout_version;
}

}  // namespace subspan::bind
