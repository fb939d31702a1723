// Index functors on the device: one thread per index, loops where there are more indices than
// threads. Included by the .cu files that instantiate them.
#pragma once

#include <algorithm>

#include "cuda/exec.hpp"
#include "cuda/lane.hpp"
#include "cuda/status.hpp"
#include "subspan/block.hpp"
#include "subspan/device_complex.hpp"

namespace subspan {
namespace detail {

constexpr index threads_per_block = 256;

template <class F>
__global__ void __launch_bounds__(threads_per_block) over_indices(F body, index n) {
    const index step = index{gridDim.x} * blockDim.x;
    for (index i = index{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

template <class F>
__global__ void __launch_bounds__(threads_per_block) over_entries(F body, index rows, index cols) {
    const index down = index{gridDim.x} * blockDim.x, across = index{gridDim.y} * blockDim.y;
    for (index j = index{blockIdx.y} * blockDim.y + threadIdx.y; j < cols; j += across)
        for (index i = index{blockIdx.x} * blockDim.x + threadIdx.x; i < rows; i += down)
            body(i, j);
}

/// The threads of this block (block.hpp).
struct DeviceBlock {
    template <class F>
    SUBSPAN_HD void each([[maybe_unused]] const F& f) const {
#if defined(__CUDA_ARCH__)
        f(static_cast<int>(threadIdx.x));
        __syncthreads();
#endif
    }
    template <class V>
    SUBSPAN_HD V read(const V& shared) const {
        const V value = shared;
#if defined(__CUDA_ARCH__)
        __syncthreads();
#endif
        return value;
    }
};

template <class F>
__global__ void __launch_bounds__(block_threads) over_blocks(F body, index blocks) {
    __shared__ typename F::Shared shared;
    for (index b = blockIdx.x; b < blocks; b += gridDim.x) {
        body(DeviceBlock{}, shared, b);
        __syncthreads();  // before the next round writes to `shared`
    }
}

/// Blocks for `count` indices, `threads` at a time; more are reached by the kernel's loop.
inline unsigned blocks_for(index count, index threads, index most) {
    return static_cast<unsigned>(std::min((count + threads - 1) / threads, most));
}

}  // namespace detail

template <class F>
void parallel_for(Cuda& ex, index n, const F& body, index) {
    if (n <= 0) return;
    const OnDevice current(ex.lane().device);
    const unsigned blocks = detail::blocks_for(n, detail::threads_per_block, index{1} << 16);
    detail::over_indices<<<blocks, detail::threads_per_block, 0, ex.lane().stream>>>(
        device_form(body), n);
    check(cudaGetLastError(), "launch of an index loop");
}

template <class F>
void for_each_entry(Cuda& ex, index rows, index cols, const F& body) {
    if (rows <= 0 || cols <= 0) return;
    const OnDevice current(ex.lane().device);
    index down = detail::threads_per_block;  // threads along a column, which is contiguous
    while (down > 1 && down / 2 >= rows) down /= 2;
    const index across = detail::threads_per_block / down;
    const dim3 block(static_cast<unsigned>(down), static_cast<unsigned>(across));
    const dim3 grid(detail::blocks_for(rows, down, index{1} << 12),
                    detail::blocks_for(cols, across, index{1} << 12));
    detail::over_entries<<<grid, block, 0, ex.lane().stream>>>(device_form(body), rows, cols);
    check(cudaGetLastError(), "launch of an entry loop");
}

template <class F>
void for_each_block(Cuda& ex, index blocks, const F& body) {
    if (blocks <= 0) return;
    const OnDevice current(ex.lane().device);
    const unsigned grid = detail::blocks_for(blocks, 1, index{1} << 20);
    detail::over_blocks<<<grid, block_threads, 0, ex.lane().stream>>>(device_form(body), blocks);
    check(cudaGetLastError(), "launch of a block functor");
}

}  // namespace subspan
