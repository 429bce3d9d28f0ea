// Lays out the buffers of a call in one piece of memory. Buffers that are alive
// at the same time do not overlap.
#pragma once

#include <cstdint>
#include <span>

namespace nibble {

constexpr int64_t kBufferAlignment = 256; // bytes

struct Lifetime {
  int64_t bytes = 0;
  int64_t begin = 0, end = 0; // alive during steps [begin, end)
  // Output, in bytes; a multiple of kBufferAlignment.
  int64_t offset = 0;
};

// Sets the offsets of items that are sorted by `begin`. In that order, each
// buffer goes into the smallest gap that holds it, else to the end. Returns the
// total bytes, or -1 when they do not fit in 62 bits. Deterministic.
int64_t layOut(std::span<Lifetime> items);

} // namespace nibble
