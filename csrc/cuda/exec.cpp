#include "cuda/exec.hpp"

#include "cuda/lane.hpp"
#include "cuda/status.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

int current_device() {
    cuda_device_count();
    int device = 0;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
}

const char* name(SolverRoutine routine) {
    switch (routine) {
        case SolverRoutine::Getrf:
            return "getrf";
        case SolverRoutine::Potrf:
            return "potrf";
        case SolverRoutine::Geqrf:
            return "geqrf";
        case SolverRoutine::Orgqr:
            return "orgqr";
        case SolverRoutine::Gesvd:
            return "gesvd";
        case SolverRoutine::Syevd:
            return "syevd";
        case SolverRoutine::None:
            break;
    }
    return "a routine";
}

void throw_failure(const Failure& failure) {
    if (failure.info < 0)
        throw NumericalError(message(name(failure.routine), ": argument ", -failure.info,
                                     " is illegal (it was given inconsistent sizes)"));
    throw NumericalError(message(name(failure.routine), ": the iteration did not converge (info ",
                                 failure.info, ")"));
}

[[noreturn]] void throw_out_of_memory(std::size_t bytes, int device) {
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    throw DeviceError(message("out of memory on CUDA device ", device, ": ", bytes,
                              " bytes asked, ", free, " of ", total,
                              " free; free memory that other libraries hold, or ask for less"));
}

}  // namespace

int cuda_device_count() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return count;
    cudaGetLastError();
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (status == cudaSuccess || status == cudaErrorNoDevice)
        throw DeviceError("no CUDA device is visible; look at nvidia-smi and CUDA_VISIBLE_DEVICES");
    if (driver == 0)
        throw DeviceError(message("no CUDA device: the NVIDIA driver is not installed (",
                                  cudaGetErrorString(status), ")"));
    throw DeviceError(message("no CUDA device: ", cudaGetErrorString(status),
                              "; the driver knows CUDA ", driver / 1000, ".", driver % 1000 / 10,
                              ", this module needs ", CUDART_VERSION / 1000, ".",
                              CUDART_VERSION % 1000 / 10));
}

Cuda::Cuda(std::function<void()> poll)
    : lane_(take_lane(current_device(), nullptr, true)), poll_(std::move(poll)) {}

Cuda::Cuda(int device, Stream stream, std::function<void()> poll)
    : lane_(take_lane(device, stream, false)), poll_(std::move(poll)) {}

Cuda::~Cuda() {
    cudaStreamSynchronize(lane_->stream);  // its errors went to those who asked for results
    give_lane(lane_);
}

void* Cuda::allocate(std::size_t bytes) {
    const OnDevice current(lane_->device);
    void* data = nullptr;
    const auto attempt = [&] {
        return cudaMallocFromPoolAsync(&data, bytes, lane_->pool, lane_->stream);
    };
    cudaError_t status = attempt();
    if (status == cudaErrorMemoryAllocation) {  // what is freed but kept may lie in pieces
        cudaGetLastError();
        sync();
        check(cudaMemPoolTrimTo(lane_->pool, 0), "cudaMemPoolTrimTo");
        status = attempt();
    }
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        throw_out_of_memory(bytes, lane_->device);
    }
    check(status, "cudaMallocFromPoolAsync");
    return data;
}

void Cuda::deallocate(void* data, std::size_t) noexcept {
    cudaFreeAsync(data, lane_->stream);
}

// The wait is needed: a copy from pageable memory may read it after the call has returned, on
// systems where the device reads it in place.
void Cuda::copy_to_device(void* to, const void* from, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, lane_->stream),
          "copy to the device");
    sync();
}

void Cuda::copy_to_host(void* to, const void* from, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, lane_->stream),
          "copy to the host");
    sync();
}

void Cuda::sync() {
    check(cudaStreamSynchronize(lane_->stream), "work on the device");
    kept_.clear();
    const Failure failure = *lane_->failure;
    if (failure.routine == SolverRoutine::None) return;
    *lane_->failure = {SolverRoutine::None, 0};
    throw_failure(failure);
}

void* Cuda::keep_on_host(std::size_t bytes) {
    return kept_.emplace_back(new char[bytes]).get();
}

double sum(Cuda& ex, const double* x, index n) {
    double total = 0;
    for (const double entry : fetch(ex, x, n)) total += entry;
    return total;
}

}  // namespace subspan
