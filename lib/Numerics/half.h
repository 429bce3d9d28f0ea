// IEEE half precision (float16) as its 16 bits, which files and foreign
// programs use.
#pragma once

#include <bit>
#include <cstdint>

namespace nibble::numerics {

// Exact; NaN stays NaN.
inline float floatFromHalf(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  uint32_t exponent = (bits >> 10) & 0x1Fu;
  uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0) { // mantissa * 2^-24
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  uint32_t wide = exponent == 0x1F ? 0xFFu : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

// Rounds to nearest, ties to even. Subnormals are kept, overflow gives
// infinity, and NaN stays NaN and becomes quiet.
inline uint16_t halfFromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = (bits >> 16) & 0x8000u;
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  uint32_t half = 0;
  if (magnitude > 0x7F800000u)
    half = 0x7E00u | ((magnitude >> 13) & 0x3FFu);
  else if (magnitude >= 0x47800000u) // 2^16
    half = 0x7C00u;
  // Below 2^-14, adding 1/2 shifts the step of 2^-24 to the last place of a
  // float32.
  else if (magnitude < 0x38800000u)
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
           std::bit_cast<uint32_t>(0.5f);
  else
    half =
        ((magnitude + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13) - (112u << 10);
  return static_cast<uint16_t>(sign | half);
}

} // namespace nibble::numerics
