// The convention compressed_tensors: the grid of the public tools
// (llm-compressor with compressed-tensors, symmetric int4).
//
// These tools compute in the type T of the weight (bf16, float16 or float32)
// and round every result to it:
//
// - scale s = T(amax / 7.5), and the epsilon of T where that is 0;
// - code q = rne(clamp(T(x / s), -8, 7)), half to even;
// - value w = T(q * s).
//
// Source: calculate_qparams, quantize and dequantize of compressed-tensors
// 0.20. The quotient itself is a float32. Rounding it to T first changes codes:
// bf16 has eight significant bits, so 2.498 becomes 2.5 and then 2.
#pragma once

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"

#include <algorithm>

namespace nibble::numerics {

// Rounds |x| < 2^22 to an integer, half to even. Adding 1.5 * 2^23 shifts the
// units digit to the last place of a float32.
inline float roundHalfEven(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

enum class WeightType { kBF16, kF16, kF32 };

inline float roundTo(WeightType type, float value) {
  switch (type) {
  case WeightType::kBF16:
    return roundToBf16(value);
  case WeightType::kF16:
    return floatFromHalf(halfFromFloat(value));
  case WeightType::kF32:
    return value;
  }
  return value;
}

// The distance from 1 to the next number.
inline float epsilonOf(WeightType type) {
  return type == WeightType::kBF16  ? 0x1p-7f
         : type == WeightType::kF16 ? 0x1p-10f
                                    : 0x1p-23f;
}

inline constexpr float kCompressedTensorsSteps = 7.5f;
inline constexpr float kCompressedTensorsLowest = -8.0f;
inline constexpr float kCompressedTensorsHighest = 7.0f;

// `amax` is the group's largest magnitude, which is finite. The scale is above
// 0.
inline float compressedTensorsScale(float amax, WeightType type) {
  float scale = roundTo(type, amax / kCompressedTensorsSteps);
  return scale == 0.0f ? epsilonOf(type) : scale;
}

// Clamping before rounding gives the same code, because the bounds are
// integers, and keeps the argument small.
inline int8_t compressedTensorsCode(float x, float scale, WeightType type) {
  float quotient = roundTo(type, x / scale);
  return static_cast<int8_t>(
      roundHalfEven(std::min(std::max(quotient, kCompressedTensorsLowest),
                             kCompressedTensorsHighest)));
}

inline float compressedTensorsValue(int8_t code, float scale, WeightType type) {
  return roundTo(type, static_cast<float>(code) * scale);
}

} // namespace nibble::numerics
