// FP8 E4M3 as its 8 bits. The "FN" variant has no infinity, one NaN pattern per
// sign, and 448 as its largest value.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace nibble::numerics {

inline constexpr float kE4M3Largest = 448.0f;

// Exact. 0x7F and 0xFF are NaN.
inline float floatFromE4M3(uint8_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24;
  uint32_t exponent = (bits >> 3) & 0xFu;
  uint32_t mantissa = bits & 7u;
  if (exponent == 0xF && mantissa == 7)
    return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) { // mantissa * 2^-9
    float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 120u) << 23) |
                              (mantissa << 20));
}

// Rounds to nearest, ties to even. Magnitudes above 448 become 448, and NaN
// stays NaN.
inline uint8_t e4m3FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint8_t sign = static_cast<uint8_t>((bits >> 24) & 0x80u);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u)
    return sign | 0x7Fu;
  if (magnitude >= std::bit_cast<uint32_t>(kE4M3Largest))
    return sign | 0x7Eu;
  if (magnitude < std::bit_cast<uint32_t>(0x1p-6f)) {
    // Denormals are multiples of 2^-9. Adding 1.5 * 2^14 shifts that step to
    // the last place of a float32.
    float shifted = std::bit_cast<float>(magnitude) + 0x1.8p14f;
    return sign | static_cast<uint8_t>(std::bit_cast<uint32_t>(shifted) & 0xFu);
  }
  uint32_t rounded = magnitude + 0x7FFFFu + ((magnitude >> 20) & 1u);
  return sign | static_cast<uint8_t>((rounded >> 20) - (120u << 3));
}

} // namespace nibble::numerics
