// The grid for one group and one element: scale, code and value. All other code
// applies these three in a loop.
//
// The functions need the default rounding mode and IEEE semantics (no
// fast-math, no flush to zero).
#pragma once

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/compressed_tensors.h"
#include "lib/Numerics/fp8.h"
#include "lib/Numerics/scale.h"
#include "lib/Numerics/scheme.h"

#include <algorithm>

namespace nibble::numerics {

// float(1/7), by which the kernel of the public stack multiplies.
inline constexpr float kSlimeOneSeventh = std::bit_cast<float>(0x3E124925u);
inline constexpr float kSlimeLeastScale = 1e-5f;

// Scale of a group or block.
struct Scale {
  // Divides in quantize, and multiplies in the weight that is trained on.
  float used;
  // Bits of the row's scale type; they multiply in the packed weight. They are
  // the number `used` unless the convention is slime.
  uint32_t stored;
};

// The largest magnitude of a group divided by this gives its scale. It is the
// largest number of the codes. For scales that are powers of two it is the
// power of two in that number, so that the quotient, rounded down, follows the
// rule of the OCP specification.
inline float divisorOf(const SchemeRow &row) {
  return row.scaleType == ScaleType::kE8M0
             ? floatFromE8M0(e8m0FromFloat(row.largest))
             : row.largest;
}

// The arithmetic of one scheme.
class Grid {
public:
  explicit Grid(const Scheme &scheme)
      : codeType_(scheme.row().codeType), scaleType_(scheme.row().scaleType),
        largest_(scheme.row().largest), divisor_(divisorOf(scheme.row())),
        convention_(scheme.convention) {}

  // N3, and the rules of the other schemes. `amax` is the largest magnitude of
  // the group or block as bits without the sign; it is finite.
  Scale scaleOf(uint16_t amax) const {
    float largest = floatFromBf16(amax);
    if (convention_ == Convention::kSlime) {
      float scale = std::max(largest * kSlimeOneSeventh, kSlimeLeastScale);
      return {scale, scaleFromFloat(scaleType_, scale)};
    }
    float scale = convention_ == Convention::kCompressedTensors
                      ? compressedTensorsScale(largest, WeightType::kBF16)
                      : largest / divisor_;
    uint32_t stored = scaleFromFloat(scaleType_, scale);
    return {floatFromScale(scaleType_, stored), stored};
  }

  // N4, and the rules of the other schemes. `x` is a bf16 number. Clamping
  // before rounding gives the same code, because the bounds are integers, and
  // keeps the argument small.
  int8_t codeOf(float x, float scale) const {
    if (convention_ == Convention::kCompressedTensors)
      return compressedTensorsCode(x, scale, WeightType::kBF16);
    if (scale == 0.0f)
      return 0;
    float quotient = x / scale;
    switch (codeType_) {
    case CodeType::kE4M3:
      return static_cast<int8_t>(e4m3FromFloat(quotient));
    case CodeType::kE2M1:
      return static_cast<int8_t>(e2m1FromFloat(quotient));
    case CodeType::kInteger:
      break;
    }
    return static_cast<int8_t>(
        roundHalfEven(std::min(std::max(quotient, -largest_), largest_)));
  }

  // The number that a code stands for before it is scaled. This is exact.
  float numberOf(int8_t code) const {
    switch (codeType_) {
    case CodeType::kE4M3:
      return floatFromE4M3(static_cast<uint8_t>(code));
    case CodeType::kE2M1:
      return floatFromE2M1(static_cast<uint8_t>(code));
    case CodeType::kInteger:
      break;
    }
    return static_cast<float>(code);
  }

  // N5, as bf16 bits. The product of an integer with a stored (bf16) scale is
  // exact. The product of an E4M3 number is rounded to float32, then to bf16.
  // The product of an E2M1 number and a power of two is a bf16 number already.
  uint16_t valueOf(int8_t code, float scale) const {
    return bf16FromFloat(numberOf(code) * scale);
  }

private:
  CodeType codeType_;
  ScaleType scaleType_;
  float largest_;
  float divisor_;
  Convention convention_;
};

} // namespace nibble::numerics
