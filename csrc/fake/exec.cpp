#include "fake/exec.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace subspan {
namespace {
constexpr std::size_t arena_bytes = std::size_t{1} << 33;  // address space; pages come when written
constexpr std::size_t guard = 64;                          // poisoned gap after every buffer
constexpr int poison = 0xFB;                               // as float64: a huge negative number
}  // namespace

Fake::Fake(std::function<void()> poll) : host_(std::move(poll)) {
    void* memory =
        mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    arena_ = static_cast<char*>(memory);
}

Fake::~Fake() {
    munmap(arena_, arena_bytes);
}

void* Fake::allocate(std::size_t bytes) {
    const std::size_t size = (bytes + 63) / 64 * 64;
    if (used_ + size + guard > arena_bytes) throw std::bad_alloc();
    char* data = arena_ + used_;
    used_ += size + guard;
    enqueue([=](Host&) { std::memset(data, poison, size + guard); });
    return data;
}

void Fake::deallocate(void* data, std::size_t bytes) noexcept {
    enqueue([=](Host&) { std::memset(data, poison, bytes); });
}

void Fake::copy_to_device(void* to, const void* from, std::size_t bytes) {
    const auto* first = static_cast<const char*>(from);
    auto snapshot = std::make_shared<std::vector<char>>(first, first + bytes);
    enqueue([=](Host&) { std::memcpy(to, snapshot->data(), bytes); });
}

void Fake::copy_to_host(void* to, const void* from, std::size_t bytes) {
    enqueue([=](Host&) { std::memcpy(to, from, bytes); });
    sync();
}

void Fake::sync() {
    protect(true);
    try {
        for (std::size_t i = 0; i < queue_.size(); ++i) queue_[i](host_);
    } catch (...) {
        queue_.clear();
        protect(false);
        throw;
    }
    queue_.clear();
    protect(false);
}

void Fake::protect(bool accessible) {
    if (used_ > 0 && mprotect(arena_, used_, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
        throw std::bad_alloc();
}

double sum(Fake& ex, const double* x, index n) {
    double total = 0;
    ex.enqueue([=, &total](Host& host) { total = sum(host, x, n); });
    ex.sync();
    return total;
}

}  // namespace subspan
