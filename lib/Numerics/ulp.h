// Distance between two floating-point numbers, counted in representable values.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace nibble::numerics {

// Larger than any distance between two numbers. A comparison with NaN gives
// this, so NaN never passes a bound.
inline constexpr int64_t kUlpNever = std::numeric_limits<int64_t>::max();

namespace detail {
// Maps sign and magnitude to a line on which neighbours differ by one. -0 and
// +0 are the same point.
inline int64_t pointOnLine(uint32_t magnitude, bool negative) {
  return negative ? -static_cast<int64_t>(magnitude)
                  : static_cast<int64_t>(magnitude);
}
inline int64_t distance(int64_t a, int64_t b) { return a > b ? a - b : b - a; }
} // namespace detail

// Distance in float32 steps. Infinity is one step beyond the largest finite
// value.
inline int64_t ulpDistance(float a, float b) {
  if (a != a || b != b)
    return kUlpNever;
  uint32_t x = std::bit_cast<uint32_t>(a);
  uint32_t y = std::bit_cast<uint32_t>(b);
  return detail::distance(detail::pointOnLine(x & 0x7FFFFFFFu, x >> 31),
                          detail::pointOnLine(y & 0x7FFFFFFFu, y >> 31));
}

// Distance in bf16 steps between two numbers given as bits.
inline int64_t ulpDistanceBf16(uint16_t a, uint16_t b) {
  if ((a & 0x7FFFu) > 0x7F80u || (b & 0x7FFFu) > 0x7F80u)
    return kUlpNever;
  return detail::distance(detail::pointOnLine(a & 0x7FFFu, a >> 15),
                          detail::pointOnLine(b & 0x7FFFu, b >> 15));
}

} // namespace nibble::numerics
