// The number formats of PTX instructions, one number at a time. Operations are
// exact and round once: to nearest, ties to even.
#pragma once

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace nibble::simt {

using numerics::bf16FromFloat;
using numerics::floatFromBf16;
using numerics::floatFromHalf;

// The device returns this pattern for every NaN.
inline constexpr uint32_t kNanBits = 0x7fffffff;

inline float canonical(float x) {
  return x == x ? x : std::bit_cast<float>(kNanBits);
}

// Replaces a denormal by a zero of the same sign.
inline float flush(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  return (bits & 0x7f800000u) == 0 ? std::bit_cast<float>(bits & 0x80000000u)
                                   : x;
}

// Rounds to 24 bits and sets the last bit when anything was lost. A later
// rounding to 11 bits or fewer then rounds only once (Boldo and Melquiond,
// "When double rounding is odd").
inline float toOdd(double x) {
  float f = static_cast<float>(x);
  if (f != f || static_cast<double>(f) == x)
    return f;
  uint32_t bits = std::bit_cast<uint32_t>(f);
  // Truncate toward zero first.
  if (std::abs(static_cast<double>(f)) > std::abs(x))
    --bits;
  return std::bit_cast<float>(bits | 1u);
}

// a * b + c for numbers of at most 11 bits, rounded to odd in 53 bits.
inline double fusedOdd(double a, double b, double c) {
  double product = a * b; // exact
  double sum = product + c;
  if (!std::isfinite(sum))
    return sum;
  double back = sum - product;
  // two-sum, which is exact.
  double error = (product - (sum - back)) + (c - back);
  uint64_t bits = std::bit_cast<uint64_t>(sum);
  if (error != 0 && (bits & 1) == 0)
    return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1
                                                          : bits - 1);
  return sum;
}

// Converts float32 to IEEE binary16: to nearest, ties to even, overflow to
// infinity.
inline uint16_t halfFromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000u;
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return 0x7fff;
  if (magnitude >= 0x477ff000u) // 65520 or more
    return static_cast<uint16_t>(sign | 0x7c00u);
  // Below 2^-14: the result counts steps of 2^-24.
  if (magnitude < 0x38800000u) {
    float steps = std::bit_cast<float>(magnitude) * 0x1p24f;
    return static_cast<uint16_t>(sign |
                                 static_cast<uint32_t>(std::nearbyint(steps)));
  }
  uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000u) >> 13);
}

struct Half {
  using Bits = uint16_t;
  static float load(Bits x) { return floatFromHalf(x); }
  static Bits store(float x) { return x == x ? halfFromFloat(x) : 0x7fff; }
};

struct Brain {
  using Bits = uint16_t;
  static float load(Bits x) { return floatFromBf16(x); }
  static Bits store(float x) { return x == x ? bf16FromFloat(x) : 0x7fff; }
};

} // namespace nibble::simt
