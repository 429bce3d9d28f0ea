// The layout of a swizzled tile: an exclusive or on address bits of shared
// memory (PTX ISA, "Swizzling Modes"). Within 32, 64 or 128 bytes, pieces of 16
// bytes are exchanged according to the number of the 128-byte row.
#pragma once

#include <cstdint>

namespace nibble::simt {

// `bytes` is 0 (no swizzle), 32, 64 or 128. `base`, a descriptor's base offset,
// is subtracted from the row.
inline uint32_t swizzled(uint32_t address, uint32_t bytes, uint32_t base = 0) {
  uint32_t row = (address >> 7) - base;
  switch (bytes) {
  case 128:
    return address ^ (row & 7) << 4;
  case 64:
    return address ^ (row & 3) << 4;
  case 32:
    return address ^ (row & 1) << 4;
  default:
    return address;
  }
}

} // namespace nibble::simt
