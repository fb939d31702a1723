// BLAS and LAPACK as a table of function pointers, filled at the first call.
//
// Nothing is linked. numpy's loaded library comes first, because a second OpenBLAS keeps a second
// pool of spinning threads and makes small calls that alternate with numpy's many times slower.
#pragma once

#include <array>
#include <mutex>
#include <string>

#include "subspan/types.hpp"

namespace subspan {

enum class Routine { gemm, trsm, herk, getrf, potrf, geqrf, orgqr, geqp3, gesdd, heevd, count };

class LapackTable {
  public:
    /// Fills the table from a loaded shared library (a handle of dlopen); false if it has no BLAS.
    bool load_library(void* handle, const std::string& source);
    /// Fills one entry, e.g. ("dgemm", pointer); used for SciPy's Cython capsules.
    void set(const std::string& name, void* function);
    void finish(const std::string& source, bool ilp64, void* handle);

    void* function(Routine routine, int dtype) const;
    bool ilp64() const { return ilp64_; }
    const std::string& source() const { return source_; }
    std::string library_config() const;
    /// Threads the user set the library to (threadpoolctl changes it), capped by the cores that this
    /// process may run on.
    int threads() const;

    /// While at least one caller holds the library, it runs on the calling thread alone: this code
    /// splits the work over its own threads, which sleep when idle, and leaves no worker of the
    /// library spinning beside them. No effect on a library whose thread count cannot be set.
    void hold();
    void release();

    /// Fortran names in table order for one dtype letter, e.g. "zherk", "zungqr".
    static std::array<std::string, static_cast<std::size_t>(Routine::count)> names(char letter);

  private:
    void find_thread_functions(void* handle);
    static constexpr std::size_t routines = static_cast<std::size_t>(Routine::count);
    std::array<std::array<void*, routines>, 4> entries_{};
    std::string source_;
    bool ilp64_ = false;
    int (*get_num_threads_)() = nullptr;
    void (*set_num_threads_)(int) = nullptr;
    mutable std::mutex holding_;
    int holders_ = 0, users_threads_ = 0;
    char* (*get_config_)() = nullptr;
};

LapackTable& lapack_table();

/// Holds the library (see hold()) for a scope.
class OwnThreads {
  public:
    OwnThreads() { lapack_table().hold(); }
    ~OwnThreads() { lapack_table().release(); }
    OwnThreads(const OwnThreads&) = delete;
};

/// Gives the library its threads back for a scope inside OwnThreads: a callback into Python.
class LentThreads {
  public:
    LentThreads() { lapack_table().release(); }
    ~LentThreads() { lapack_table().hold(); }
    LentThreads(const LentThreads&) = delete;
};

template <class T>
inline constexpr int dtype_slot = std::is_same_v<T, float>                 ? 0
                                  : std::is_same_v<T, double>              ? 1
                                  : std::is_same_v<T, std::complex<float>> ? 2
                                                                           : 3;

}  // namespace subspan
