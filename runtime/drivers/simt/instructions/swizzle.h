// Where the bytes of a swizzled tile lie: an exclusive or on the address bits
// of shared memory (PTX ISA, "Swizzling Modes"). 16-byte pieces are exchanged
// within 32, 64 or 128 bytes by the number of the 128-byte row.
#pragma once

#include <cstdint>

namespace nibble::simt {

// `bytes` is 0 (none), 32, 64 or 128; `base` is subtracted from the row: a
// descriptor's base offset.
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
