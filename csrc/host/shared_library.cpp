#include "host/shared_library.hpp"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace subspan {

#if defined(_WIN32)

void* open_library(const std::string& path, bool load) {
    const auto flags = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    return load ? LoadLibraryExA(path.c_str(), nullptr, flags) : GetModuleHandleA(path.c_str());
}

void* find_symbol(void* library, const char* name) {
    return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

#else

void* open_library(const std::string& path, bool load) {
    return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | (load ? 0 : RTLD_NOLOAD));
}

void* find_symbol(void* library, const char* name) {
    return dlsym(library, name);
}

#endif

}  // namespace subspan
