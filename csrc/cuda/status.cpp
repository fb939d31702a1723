#include "cuda/status.hpp"

#include "subspan/error.hpp"

namespace subspan {

void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // the runtime would report it once more, to whoever asks next
    throw DeviceError(
        message(what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")"));
}

void check(cublasStatus_t status, const char* what) {
    if (status != CUBLAS_STATUS_SUCCESS)
        throw DeviceError(message(what, ": ", cublasGetStatusString(status)));
}

void check(cusolverStatus_t status, const char* what) {
    if (status == CUSOLVER_STATUS_SUCCESS) return;
    const char* reason = status == CUSOLVER_STATUS_ALLOC_FAILED      ? "out of device memory"
                         : status == CUSOLVER_STATUS_INVALID_VALUE   ? "an argument is illegal"
                         : status == CUSOLVER_STATUS_ARCH_MISMATCH   ? "the device is too old"
                         : status == CUSOLVER_STATUS_NOT_SUPPORTED   ? "not supported"
                         : status == CUSOLVER_STATUS_NOT_INITIALIZED ? "cuSOLVER did not start"
                                                                     : "cuSOLVER failed";
    throw DeviceError(message(what, ": ", reason, " (status ", static_cast<int>(status), ")"));
}

}  // namespace subspan
