// Exec = Host: memory of this process, work done at once, index loops on a small thread pool.
#pragma once

#include <cstddef>
#include <functional>

#include "subspan/exec.hpp"

namespace subspan {

class Host {
  public:
    /// `poll` is called between blocks of long work and may throw to stop it.
    explicit Host(std::function<void()> poll = {});
    /// An executor for one of many problems that are solved side by side: it runs on its caller alone.
    static Host serial();

    void* allocate(std::size_t bytes);
    void deallocate(void* data, std::size_t bytes) noexcept;
    void copy_to_device(void* to, const void* from, std::size_t bytes);
    void copy_to_host(void* to, const void* from, std::size_t bytes);
    void sync() {}
    void poll() {
        if (poll_) poll_();
    }
    /// Threads that loops of this executor use: what the BLAS library is set to use.
    int threads() const { return threads_; }

    /// body(task) for task = 0 .. tasks-1, in any order, on the pool and the calling thread. The
    /// body must not throw.
    template <class F>
    void for_each_task(index tasks, const F& body) {
        run_tasks(tasks, &body, [](const void* f, index t) { (*static_cast<const F*>(f))(t); });
    }

  private:
    void run_tasks(index tasks, const void* body, void (*call)(const void*, index));

    std::function<void()> poll_;
    int threads_;
};

/// body(i) for i = 0 .. n-1: the launch of an index functor; `work` is the length of one call's loop.
template <class F>
void parallel_for(Host& ex, index n, const F& body, index work = 1) {
    constexpr index serial = 4096;  // below this, waking a thread costs more than the loop
    if (n * work <= serial || ex.threads() == 1) {
        for (index i = 0; i < n; ++i) body(i);
        return;
    }
    const index pieces = n < 8 * ex.threads() ? n : 8 * ex.threads();
    ex.for_each_task(pieces, [&](index piece) {
        for (index i = n * piece / pieces, end = n * (piece + 1) / pieces; i < end; ++i) body(i);
    });
}

/// body(i, j) for all i < rows, j < cols, columns one after the other.
template <class F>
void for_each_entry(Host& ex, index rows, index cols, const F& body) {
    parallel_for(
        ex, cols,
        [&](index j) {
            for (index i = 0; i < rows; ++i) body(i, j);
        },
        rows);
}

/// body(own, i) for i = 0 .. n-1: independent problems side by side, each on a serial executor of its
/// own. The first exception stops the call once the problems that have begun are done.
void for_each_problem(Host& ex, index n, const std::function<void(Host&, index)>& body);

/// Sum in index order.
double sum(Host&, const double* x, index n);

/// Sets the number of threads of the next executors; 0 asks the BLAS library each time.
void set_thread_limit(int threads);

}  // namespace subspan
