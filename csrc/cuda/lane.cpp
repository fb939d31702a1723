#include "cuda/lane.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "cuda/status.hpp"
#include "subspan/error.hpp"

namespace subspan {
namespace {

/// Memory that the pool keeps over a wait instead of giving it back to the driver.
constexpr std::uint64_t kept_bytes = std::uint64_t{1} << 30;

/// Idle lanes and the memory pool of every device. Never destroyed: at the end of the process the
/// driver may be gone before us, and takes everything with it.
struct Devices {
    std::mutex guard;
    std::map<int, std::vector<Lane*>> idle;
    std::map<int, cudaMemPool_t> pools;
};

Devices& devices() {
    static auto* const all = new Devices;
    return *all;
}

cudaMemPool_t make_pool(int device) {
    int supported = 0;
    check(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, device),
          "cudaDeviceGetAttribute");
    if (supported == 0)
        throw DeviceError(message("CUDA device ", device,
                                  " has no memory pools (cudaMallocAsync); subspan needs them"));
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    properties.location.id = device;
    cudaMemPool_t pool = nullptr;
    check(cudaMemPoolCreate(&pool, &properties), "cudaMemPoolCreate");
    std::uint64_t kept = kept_bytes;
    check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept),
          "cudaMemPoolSetAttribute");
    return pool;
}

void destroy(Lane* lane) noexcept {
    if (lane->params != nullptr) cusolverDnDestroyParams(lane->params);
    if (lane->solver != nullptr) cusolverDnDestroy(lane->solver);
    if (lane->blas != nullptr) cublasDestroy(lane->blas);
    if (lane->failure != nullptr) cudaFreeHost(lane->failure);
    if (lane->own != nullptr) cudaStreamDestroy(lane->own);
    delete lane;
}

Lane* make_lane(int device, cudaMemPool_t pool) {
    std::unique_ptr<Lane, void (*)(Lane*)> lane(new Lane, destroy);
    lane->device = device;
    lane->pool = pool;
    check(cudaStreamCreateWithFlags(&lane->own, cudaStreamNonBlocking),
          "cudaStreamCreateWithFlags");
    void* pinned = nullptr;
    check(cudaHostAlloc(&pinned, sizeof(Failure), cudaHostAllocMapped | cudaHostAllocPortable),
          "cudaHostAlloc");
    lane->failure = new (pinned) Failure{SolverRoutine::None, 0};
    check(cublasCreate(&lane->blas), "cublasCreate");
    check(cusolverDnCreate(&lane->solver), "cusolverDnCreate");
    check(cusolverDnCreateParams(&lane->params), "cusolverDnCreateParams");
    return lane.release();
}

}  // namespace

Lane* take_lane(int device, cudaStream_t stream, bool own_stream) {
    const OnDevice current(device);
    Devices& all = devices();
    Lane* lane = nullptr;
    {
        const std::lock_guard lock(all.guard);
        cudaMemPool_t& pool = all.pools[device];
        if (pool == nullptr) pool = make_pool(device);
        auto& idle = all.idle[device];
        if (idle.empty()) {
            lane = make_lane(device, pool);
        } else {
            lane = idle.back();
            idle.pop_back();
        }
    }
    lane->stream = own_stream ? lane->own : stream;
    *lane->failure = {SolverRoutine::None, 0};
    try {
        check(cublasSetStream(lane->blas, lane->stream), "cublasSetStream");
        check(cusolverDnSetStream(lane->solver, lane->stream), "cusolverDnSetStream");
    } catch (...) {
        give_lane(lane);
        throw;
    }
    return lane;
}

void give_lane(Lane* lane) noexcept {
    Devices& all = devices();
    const std::lock_guard lock(all.guard);
    all.idle[lane->device].push_back(lane);
}

}  // namespace subspan
