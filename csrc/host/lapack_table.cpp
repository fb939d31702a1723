#include "host/lapack_table.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <thread>

#include "host/shared_library.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

constexpr char letters[] = {'s', 'd', 'c', 'z'};

struct Spelling {
    const char *prefix, *suffix;
    bool ilp64;
};
constexpr Spelling spellings[] = {{"scipy_", "_64_", true},
                                  {"", "_64_", true},
                                  {"", "64_", true},
                                  {"scipy_", "_", false},
                                  {"", "_", false}};

template <class F>
void find_first(void* handle, std::initializer_list<const char*> names, F& function) {
    for (const char* name : names)
        if (void* found = find_symbol(handle, name)) {
            function = reinterpret_cast<F>(found);
            return;
        }
}

int available_cores() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

LapackTable& lapack_table() {
    static LapackTable table;
    return table;
}

std::array<std::string, LapackTable::routines> LapackTable::names(char letter) {
    const bool cplx = letter == 'c' || letter == 'z';
    const std::string x(1, letter);
    return {x + "gemm",
            x + "trsm",
            x + (cplx ? "herk" : "syrk"),
            x + "getrf",
            x + "potrf",
            x + "geqrf",
            x + (cplx ? "ungqr" : "orgqr"),
            x + "geqp3",
            x + "gesdd",
            x + (cplx ? "heevd" : "syevd")};
}

bool LapackTable::load_library(void* handle, const std::string& source) {
    for (const Spelling& s : spellings) {
        const auto spelled = [&](const std::string& name) { return s.prefix + name + s.suffix; };
        if (find_symbol(handle, spelled("dgemm").c_str()) == nullptr) continue;
        for (std::size_t d = 0; d < 4; ++d) {
            const auto wanted = names(letters[d]);
            for (std::size_t r = 0; r < routines; ++r) {
                entries_[d][r] = find_symbol(handle, spelled(wanted[r]).c_str());
                if (entries_[d][r] == nullptr) return false;
            }
        }
        finish(source, s.ilp64, handle);
        return true;
    }
    return false;
}

void LapackTable::set(const std::string& name, void* function) {
    for (std::size_t d = 0; d < 4; ++d) {
        const auto wanted = names(letters[d]);
        const auto at = std::find(wanted.begin(), wanted.end(), name);
        if (at != wanted.end())
            entries_[d][static_cast<std::size_t>(at - wanted.begin())] = function;
    }
}

void LapackTable::finish(const std::string& source, bool ilp64, void* handle) {
    source_ = source;
    ilp64_ = ilp64;
    get_num_threads_ = nullptr;
    set_num_threads_ = nullptr;
    get_config_ = nullptr;
    if (handle != nullptr) find_thread_functions(handle);
}

void LapackTable::find_thread_functions(void* handle) {
    find_first(
        handle,
        {"scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_",
         "scipy_openblas_get_num_threads", "openblas_get_num_threads", "MKL_Get_Max_Threads"},
        get_num_threads_);
    find_first(
        handle,
        {"scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_",
         "scipy_openblas_set_num_threads", "openblas_set_num_threads", "MKL_Set_Num_Threads"},
        set_num_threads_);
    find_first(handle,
               {"scipy_openblas_get_config64_", "openblas_get_config64_",
                "scipy_openblas_get_config", "openblas_get_config"},
               get_config_);
}

void* LapackTable::function(Routine routine, int dtype) const {
    void* found = entries_[static_cast<std::size_t>(dtype)][static_cast<std::size_t>(routine)];
    if (found == nullptr) throw DeviceError("subspan: no BLAS library is loaded");
    return found;
}

std::string LapackTable::library_config() const {
    return get_config_ != nullptr ? get_config_() : "";
}

int LapackTable::threads() const {
    const int cores = available_cores();
    if (get_num_threads_ == nullptr) return cores;
    const std::lock_guard lock(holding_);
    return std::clamp(holders_ > 0 ? users_threads_ : get_num_threads_(), 1, cores);
}

void LapackTable::hold() {
    const std::lock_guard lock(holding_);
    if (holders_++ > 0 || get_num_threads_ == nullptr || set_num_threads_ == nullptr) return;
    users_threads_ = get_num_threads_();
    set_num_threads_(1);
}

void LapackTable::release() {
    const std::lock_guard lock(holding_);
    if (--holders_ > 0 || get_num_threads_ == nullptr || set_num_threads_ == nullptr) return;
    set_num_threads_(users_threads_);
}

}  // namespace subspan
