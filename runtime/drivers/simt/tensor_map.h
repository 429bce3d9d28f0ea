// The 128 bytes of a tensor map as a kernel's argument. The device's encoding
// is not published, so this one is our own.
#pragma once

#include "runtime/drivers/device.h"

#include <cstdint>
#include <cstring>

namespace nibble::simt {

inline constexpr uint64_t kTensorMapMagic = 0x50614d746d695321u;

struct TensorMapBytes {
  uint64_t magic = kTensorMapMagic;
  uint64_t address = 0;
  uint64_t extents[5] = {};
  uint64_t strides[4] = {}; // in bytes
  uint16_t box[5] = {};     // in elements
  uint8_t elementBytes = 0, rank = 0;
  uint16_t swizzle = 0; // in bytes
  uint8_t rest[26] = {};
};
static_assert(sizeof(TensorMapBytes) == 128);

// Encodes a map. Usage error for a map that device.h does not allow.
Status encodeTensorMap(const TensorMap &map, TensorMapBytes &bytes);

} // namespace nibble::simt
