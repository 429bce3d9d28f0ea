// Where the buffers of a call lie in one piece of memory: two that are alive at
// the same time do not overlap.
#pragma once

#include <cstdint>
#include <span>

namespace nibble {

constexpr int64_t kBufferAlignment = 256; // bytes

struct Lifetime {
  int64_t bytes = 0;
  int64_t begin = 0, end = 0; // steps; alive in [begin, end)
  int64_t offset = 0;         // out, bytes; a multiple of kBufferAlignment
};

// Sets the offsets. Each buffer goes, in the order of `begin`, into the
// smallest gap that holds it, else to the end. Returns the bytes of the whole;
// -1 when that does not fit in 62 bits. Deterministic. Items are sorted by
// begin already.
int64_t layOut(std::span<Lifetime> items);

} // namespace nibble
