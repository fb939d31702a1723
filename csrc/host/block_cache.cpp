#include "host/block_cache.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

namespace subspan {
namespace {

constexpr std::size_t cache_line = 64, huge_page = std::size_t{1} << 21;
constexpr std::size_t smallest_kept = std::size_t{1} << 18;
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t most_kept = 0;  // so that a use after free is seen
#else
constexpr std::size_t most_kept = std::size_t{1} << 27;
#endif

/// Eight sizes between powers of two, so that a block fits later requests of about its size.
std::size_t size_class(std::size_t bytes) {
    const std::size_t step = std::max(cache_line, std::bit_floor(bytes) / 8);
    const std::size_t rounded = (bytes + step - 1) / step * step;
    return rounded < 2 * huge_page ? rounded : (rounded + huge_page - 1) / huge_page * huge_page;
}

#if defined(_WIN32)
void* allocate_aligned(std::size_t alignment, std::size_t size) {
    return _aligned_malloc(size, alignment);
}
void free_aligned(void* data) {
    _aligned_free(data);
}
#else
void* allocate_aligned(std::size_t alignment, std::size_t size) {
    return std::aligned_alloc(alignment, size);
}
void free_aligned(void* data) {
    std::free(data);
}
#endif

struct Block {
    void* data;
    std::size_t size;
};

/// Nobody waits for the lock: a forked child may inherit it locked for ever.
class BlockCache {
  public:
    void* take(std::size_t size) {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock()) return nullptr;
        const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(),
                                        [&](const Block& b) { return b.size == size; });
        if (found == blocks_.rend()) return nullptr;
        void* data = found->data;
        kept_ -= size;
        blocks_.erase(std::next(found).base());
        return data;
    }

    void give(Block block) {
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock()) return free_aligned(block.data);
        blocks_.push_back(block);
        kept_ += block.size;
        while (kept_ > most_kept) {
            free_aligned(blocks_.front().data);
            kept_ -= blocks_.front().size;
            blocks_.pop_front();
        }
    }

  private:
    std::mutex mutex_;
    std::deque<Block> blocks_;  // oldest first
    std::size_t kept_ = 0;
};

/// Never destroyed: buffers may be freed while the process ends.
BlockCache& cache() {
    static auto* const blocks = new BlockCache;
    return *blocks;
}

}  // namespace

void* take_block(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    if (size >= smallest_kept)
        if (void* data = cache().take(size)) return data;
    const std::size_t alignment = size >= 2 * huge_page ? huge_page : cache_line;
    void* data = allocate_aligned(alignment, size);
    if (data == nullptr) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == huge_page) madvise(data, size, MADV_HUGEPAGE);
#endif
    return data;
}

void give_block(void* data, std::size_t bytes) noexcept {
    const std::size_t size = size_class(bytes);
    if (size < smallest_kept || size > most_kept) return free_aligned(data);
    try {
        cache().give({data, size});
    } catch (...) {  // the list itself found no memory
        free_aligned(data);
    }
}

}  // namespace subspan
