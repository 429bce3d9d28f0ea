// bfloat16 as its 16 bits, which are the upper half of a float32. Conversion
// rounds to nearest, ties to even, keeps denormals and keeps NaN as NaN.
#pragma once

#include <bit>
#include <cstdint>

namespace nibble::numerics {

// Bits of the largest finite magnitude. Every larger value, without its sign,
// is infinity or NaN.
inline constexpr uint16_t kBf16LargestFinite = 0x7F7F;
inline constexpr uint16_t kBf16Magnitude = 0x7FFF;

// Exact.
inline float floatFromBf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// bf16(x). A NaN keeps its sign and the upper part of its payload and becomes
// quiet, so that it cannot turn into infinity.
inline uint16_t bf16FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet
                                                                  : rounded);
}

inline float roundToBf16(float value) {
  return floatFromBf16(bf16FromFloat(value));
}

inline bool isFiniteBf16(uint16_t bits) {
  return (bits & kBf16Magnitude) <= kBf16LargestFinite;
}

// out[i] = bf16(in[i]), `count` elements.
inline void bf16FromFloats(const float *in, int64_t count, uint16_t *out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = bf16FromFloat(in[i]);
}

inline void floatsFromBf16(const uint16_t *in, int64_t count, float *out) {
  for (int64_t i = 0; i < count; ++i)
    out[i] = floatFromBf16(in[i]);
}

} // namespace nibble::numerics
