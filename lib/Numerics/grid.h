// The grid for one group and one element: scale, code and value. All other code
// applies these three in a loop.
//
// The functions need the default rounding mode and IEEE semantics (no
// fast-math, no flush to zero).
#pragma once

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/compressed_tensors.h"
#include "lib/Numerics/fp8.h"
#include "lib/Numerics/scheme.h"

#include <algorithm>

namespace nibble::numerics {

// float(1/7), by which the kernel of the public stack multiplies.
inline constexpr float kSlimeOneSeventh = std::bit_cast<float>(0x3E124925u);
inline constexpr float kSlimeLeastScale = 1e-5f;

// Scale of a group.
struct Scale {
  // Divides in quantize, and multiplies in the weight that is trained on.
  float used;
  // bf16 bits; multiplies in the packed weight. float(stored) == used unless
  // the convention is slime.
  uint16_t stored;
};

// N3, and the rules of the other schemes. `amax` is the group's largest
// magnitude as bits without the sign; it is finite.
inline Scale scaleOf(uint16_t amax, const Scheme &scheme) {
  float largest = floatFromBf16(amax);
  if (scheme.kind == Kind::kInt4 && scheme.convention == Convention::kSlime) {
    float scale = std::max(largest * kSlimeOneSeventh, kSlimeLeastScale);
    return {scale, bf16FromFloat(scale)};
  }
  if (scheme.convention == Convention::kCompressedTensors) {
    float scale = compressedTensorsScale(largest, WeightType::kBF16);
    return {scale, bf16FromFloat(scale)};
  }
  uint16_t stored =
      bf16FromFloat(largest / (scheme.kind == Kind::kInt8 ? 127.0f : 7.0f));
  return {floatFromBf16(stored), stored};
}

// N4, and the rules of the other schemes. `x` is a bf16 number. Clamping before
// rounding gives the same code, because the bounds are integers, and keeps the
// argument small.
inline int8_t codeOf(float x, float scale, const Scheme &scheme) {
  if (scheme.convention == Convention::kCompressedTensors)
    return compressedTensorsCode(x, scale, WeightType::kBF16);
  if (scale == 0.0f)
    return 0;
  float most = scheme.kind == Kind::kInt8 ? 127.0f : 7.0f;
  return static_cast<int8_t>(
      roundHalfEven(std::min(std::max(x / scale, -most), most)));
}

// N5, as bf16 bits. With a stored (bf16) scale the product is exact.
inline uint16_t valueOf(int8_t code, float scale) {
  return bf16FromFloat(static_cast<float>(code) * scale);
}

// fp8: the scale of a block, the code of an element and its value. The float32
// product is rounded, then rounded again to bf16.
inline float fp8ScaleOf(uint16_t amax) {
  return floatFromBf16(amax) / kE4M3Largest;
}
inline uint8_t fp8CodeOf(float x, float scale) {
  return scale == 0.0f ? 0 : e4m3FromFloat(x / scale);
}
inline uint16_t fp8ValueOf(uint8_t code, float scale) {
  return bf16FromFloat(floatFromE4M3(code) * scale);
}

} // namespace nibble::numerics
