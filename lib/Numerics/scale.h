// The bits of a stored scale, by its type.
#pragma once

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/microscaling.h"
#include "lib/Numerics/scheme.h"

namespace nibble::numerics {

// Exact.
inline float floatFromScale(ScaleType type, uint32_t bits) {
  switch (type) {
  case ScaleType::kBF16:
    return floatFromBf16(static_cast<uint16_t>(bits));
  case ScaleType::kF32:
    return std::bit_cast<float>(bits);
  case ScaleType::kE8M0:
    return floatFromE8M0(static_cast<uint8_t>(bits));
  }
  return 0.0f;
}

// To the nearest scale of the type, ties to even; E8M0 takes the power of two
// below.
inline uint32_t scaleFromFloat(ScaleType type, float scale) {
  switch (type) {
  case ScaleType::kBF16:
    return bf16FromFloat(scale);
  case ScaleType::kF32:
    return std::bit_cast<uint32_t>(scale);
  case ScaleType::kE8M0:
    return e8m0FromFloat(scale);
  }
  return 0;
}

} // namespace nibble::numerics
