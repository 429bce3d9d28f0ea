// The two number formats of MXFP4 as their bits: E2M1, the elements, and E8M0,
// the scale of a block of them. Source: OCP Microscaling Formats (MX)
// Specification v1.0, sections 5.3.3 and 5.4.1.
#pragma once

#include <bit>
#include <cstdint>

namespace nibble::numerics {

inline constexpr float kE2M1Largest = 6.0f;

// Exact; of bits 0..15: sign, two bits of exponent, one of mantissa. There is
// no infinity and no NaN.
inline float floatFromE2M1(uint8_t bits) {
  uint32_t magnitude = bits & 7u;
  // A subnormal counts halves. A normal number has exponent and mantissa where
  // a float32 has them, but for the difference of the exponents' biases.
  float number = magnitude < 2
                     ? static_cast<float>(magnitude) * 0.5f
                     : std::bit_cast<float>((magnitude << 22) + (126u << 23));
  return bits & 8u ? -number : number;
}

// Round to nearest, ties to even; magnitudes above 6 become 6. Zero keeps its
// sign. The value is no NaN.
inline uint8_t e2m1FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint8_t sign = static_cast<uint8_t>((bits >> 28) & 8u);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude >= std::bit_cast<uint32_t>(kE2M1Largest))
    return sign | 7u;
  if (magnitude < std::bit_cast<uint32_t>(1.0f)) {
    // Adding 1.5 * 2^22 puts the half at the last place of a float32.
    float shifted = std::bit_cast<float>(magnitude) + 0x1.8p22f;
    return sign | static_cast<uint8_t>(std::bit_cast<uint32_t>(shifted) & 3u);
  }
  uint32_t rounded = magnitude + 0x1FFFFFu + ((magnitude >> 22) & 1u);
  return sign | static_cast<uint8_t>((rounded >> 22) - (126u << 1));
}

// Exact: 2^(bits - 127), and NaN for 255.
inline float floatFromE8M0(uint8_t bits) {
  // 2^-127 is a subnormal float32, half of the least normal one; a quiet NaN
  // has the same bit.
  uint32_t half = bits == 0 || bits == 0xFF ? 0x00400000u : 0u;
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 23 | half);
}

// The power of two not above a value that is not negative; 2^-127 at least.
inline uint8_t e8m0FromFloat(float value) {
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(value) >> 23);
}

} // namespace nibble::numerics
