// Exec = Fake: a device that is not there. Its memory faults when the host touches it and its work
// waits for sync(), so that an algorithm that would break on a GPU breaks on any machine. For tests.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "host/exec.hpp"
#include "subspan/block.hpp"
#include "subspan/device_complex.hpp"

namespace subspan {

class Fake {
  public:
    static constexpr bool plain_sources = true;  // as a GPU has them

    explicit Fake(std::function<void()> poll = {});
    Fake(const Fake&) = delete;
    ~Fake();

    void* allocate(std::size_t bytes);
    /// Memory is poisoned, not reused: work that is still queued may refer to it.
    void deallocate(void* data, std::size_t bytes) noexcept;
    void copy_to_device(void* to, const void* from, std::size_t bytes);
    void copy_to_host(void* to, const void* from, std::size_t bytes);
    void sync();
    void poll() { host_.poll(); }

    /// Puts work behind what is already queued; it runs on the host inside the next sync().
    void enqueue(std::function<void(Host&)> work) { queue_.push_back(std::move(work)); }

  private:
    void protect(bool accessible);

    Host host_;
    std::vector<std::function<void(Host&)>> queue_;
    char* arena_ = nullptr;
    std::size_t used_ = 0;
};

template <class F>
void parallel_for(Fake& ex, index n, const F& body, index work = 1) {
    ex.enqueue([=](Host& host) { parallel_for(host, n, device_form(body), work); });
}

template <class F>
void for_each_entry(Fake& ex, index rows, index cols, const F& body) {
    ex.enqueue([=](Host& host) { for_each_entry(host, rows, cols, device_form(body)); });
}

/// Cooperative functors (block.hpp), one block after the other.
template <class F>
void for_each_block(Fake& ex, index blocks, const F& body) {
    ex.enqueue([=](Host&) { run_serial_blocks(blocks, device_form(body)); });
}

/// One problem after the other: a device of one queue.
template <class F>
void for_each_problem(Fake& ex, index n, const F& body) {
    for (index i = 0; i < n; ++i) {
        body(ex, i);
        ex.sync();
        ex.poll();
    }
}

double sum(Fake& ex, const double* x, index n);

}  // namespace subspan
