// Memory for large buffers, kept for the next call: the system zeroes every page it hands out, which
// would cost as much as a pass over the sketch.
#pragma once

#include <cstddef>

namespace subspan {

/// Uninitialised memory, aligned to a cache line; large blocks ask for huge pages.
void* take_block(std::size_t bytes);

/// Gives back what take_block(bytes) returned. At most 128 MiB are kept, the latest ones.
void give_block(void* data, std::size_t bytes) noexcept;

}  // namespace subspan
