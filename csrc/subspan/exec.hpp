// The executor: where memory lives and in what order work runs, and nothing else.
//
// Algorithms receive an executor by reference, allocate scratch through Buffer, and hand work to it
// as verbs (dense.hpp), index functors (parallel_for) or cooperative kernels. Work may be deferred;
// the only ways for a result to reach the host are fetch() and sync().
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>
#include <vector>

#include "subspan/types.hpp"

namespace subspan {

template <class E>
concept Exec = requires(E& ex, std::size_t bytes, void* to, const void* from) {
    { ex.allocate(bytes) } -> std::same_as<void*>;
    { ex.deallocate(to, bytes) } noexcept;
    { ex.copy_to_device(to, from, bytes) };
    { ex.copy_to_host(to, from, bytes) };  // waits for the work it depends on
    { ex.sync() };
    { ex.poll() };  // gives the caller a chance to interrupt; called between blocks of long work
};

/// Scratch memory of `count` entries in the executor's memory; uninitialised; freed with the object.
template <class T, Exec E>
class Buffer {
  public:
    Buffer() = default;
    Buffer(E& ex, index count) : ex_(&ex), count_(count < 0 ? 0 : count) {
        if (count_ > 0) data_ = static_cast<T*>(ex.allocate(bytes()));
    }
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer() {
        if (data_ != nullptr) ex_->deallocate(data_, bytes());
    }

    T* data() const { return data_; }
    index size() const { return count_; }
    MatrixView<T> matrix(index rows, index cols) const { return {data_, rows, cols}; }

  private:
    std::size_t bytes() const { return static_cast<std::size_t>(count_) * sizeof(T); }
    void swap(Buffer& other) noexcept {
        std::swap(ex_, other.ex_);
        std::swap(data_, other.data_);
        std::swap(count_, other.count_);
    }
    E* ex_ = nullptr;
    T* data_ = nullptr;
    index count_ = 0;
};

/// Brings `count` device entries to the host: a synchronisation point.
template <class T, Exec E>
std::vector<T> fetch(E& ex, const T* device, index count) {
    std::vector<T> host(static_cast<std::size_t>(count));
    if (count > 0) ex.copy_to_host(host.data(), device, host.size() * sizeof(T));
    return host;
}

template <class T, Exec E>
Buffer<T, E> upload(E& ex, const std::vector<T>& host) {
    Buffer<T, E> device(ex, static_cast<index>(host.size()));
    if (!host.empty()) ex.copy_to_device(device.data(), host.data(), host.size() * sizeof(T));
    return device;
}

}  // namespace subspan
