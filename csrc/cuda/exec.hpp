// Exec = Cuda: memory and work of one CUDA device, in the order of one stream.
//
// No CUDA header is needed to use it. Index loops are declared here and instantiated, once per
// functor and dtype, in the .cu files; a functor that is missing there is an error of the linker.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "subspan/block.hpp"
#include "subspan/exec.hpp"

struct CUstream_st;

namespace subspan {

struct Lane;

class Cuda {
  public:
    static constexpr bool plain_sources = true;
    using Stream = CUstream_st*;  // cudaStream_t

    /// The calling thread's current device, on a stream of its own.
    explicit Cuda(std::function<void()> poll = {});
    /// On a stream of the caller, which outlives the executor and everything allocated from it.
    Cuda(int device, Stream stream, std::function<void()> poll = {});
    Cuda(const Cuda&) = delete;
    /// Waits for the work that is still on the way.
    ~Cuda();

    void* allocate(std::size_t bytes);
    /// In stream order: work queued before may still use the memory.
    void deallocate(void* data, std::size_t bytes) noexcept;
    /// Waits until `from` may be changed or freed.
    void copy_to_device(void* to, const void* from, std::size_t bytes);
    void copy_to_host(void* to, const void* from, std::size_t bytes);
    /// Waits for all work; throws if a launch or a library routine has failed since the last time.
    void sync();
    void poll() {
        if (poll_) poll_();
    }

    /// The stream, library handles and failure record in use.
    Lane& lane() const { return *lane_; }
    /// Host memory that queued work refers to; freed at the next sync.
    void* keep_on_host(std::size_t bytes);

  private:
    Lane* lane_;
    std::function<void()> poll_;
    std::vector<std::unique_ptr<char[]>> kept_;
};

/// Number of CUDA devices; DeviceError, with the reason and the remedy, if there is none.
int cuda_device_count();

/// body(i) for i = 0 .. n-1, one thread each.
template <class F>
void parallel_for(Cuda& ex, index n, const F& body, index work = 1);

/// body(i, j) for all i < rows, j < cols, one thread each.
template <class F>
void for_each_entry(Cuda& ex, index rows, index cols, const F& body);

/// body(block, shared, b) for b = 0 .. blocks-1, a block of threads each.
template <class F>
void for_each_block(Cuda& ex, index blocks, const F& body);

/// A column is long: the threads of a block share it.
template <class T>
void parallel_for(Cuda& ex, index n, const ColumnNorm<T>& body, index = 1) {
    for_each_block(ex, n, BlockColumnNorm<T>{body.A, body.norms2});
}

/// One problem after the other.
template <class F>
void for_each_problem(Cuda& ex, index n, const F& body) {
    for (index i = 0; i < n; ++i) {
        body(ex, i);
        ex.poll();
    }
}

/// Sum in index order on the host: the bits that the host's own executor would give.
double sum(Cuda& ex, const double* x, index n);

}  // namespace subspan
