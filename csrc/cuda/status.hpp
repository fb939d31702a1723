// Status codes of the CUDA runtime, cuBLAS and cuSOLVER become exceptions.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

namespace subspan {

/// Throws DeviceError unless the call `what` has succeeded.
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);
void check(cusolverStatus_t status, const char* what);

/// Makes a device the calling thread's current one for a scope.
class OnDevice {
  public:
    explicit OnDevice(int device) : device_(device) {
        check(cudaGetDevice(&before_), "cudaGetDevice");
        if (before_ != device_) check(cudaSetDevice(device_), "cudaSetDevice");
    }
    ~OnDevice() {
        if (before_ != device_) cudaSetDevice(before_);
    }
    OnDevice(const OnDevice&) = delete;

  private:
    int device_, before_ = 0;
};

}  // namespace subspan
