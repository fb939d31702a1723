// What an executor borrows for its lifetime: a stream, library handles set to it, a memory pool, and
// a word in pinned memory where work on the device records a failure.
//
// cuBLAS and cuSOLVER handles must not be used from two threads at once; a lane is used by one
// executor at a time, so they are not. Handles are slow to make, hence lanes are handed on.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#include "cuda/failure.hpp"

namespace subspan {

struct Lane {
    int device = 0;
    cudaStream_t stream = nullptr;  // the one in use
    cudaStream_t own = nullptr;
    cudaMemPool_t pool = nullptr;  // of the device
    cublasHandle_t blas = nullptr;
    cusolverDnHandle_t solver = nullptr;
    cusolverDnParams_t params = nullptr;
    Failure* failure = nullptr;
};

/// A lane of that device that nobody uses, on the caller's stream or, with `own_stream`, its own.
Lane* take_lane(int device, cudaStream_t stream, bool own_stream);
/// The lane is idle: its work is done.
void give_lane(Lane* lane) noexcept;

}  // namespace subspan
