// The arithmetic of drawing a token (N16): exp, log and the mass of a token. It
// uses double precision and IEEE operations only, so it gives the same bits
// with every libm, every vector width and on a GPU.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace nibble::numerics {

// x = k ln 2 + r with |r| <= ln(2) / 2. Adding 1.5 * 2^52 rounds to the nearest
// integer and leaves it in the low bits. kLn2High has few significant bits, so
// k * kLn2High is exact.
inline constexpr double kExpMagic = 0x1.8p52;
inline constexpr double kLog2E = 0x1.71547652b82fep0;
inline constexpr double kLn2High = 0x1.62e42fefap-1;
inline constexpr double kLn2Low = 0x1.cf79abc9e3b3ap-40;
// For smaller x exp(x) is 0 by definition.
inline constexpr double kExpLowest = -708.0;
// Taylor series up to r^13 / 13!, with a remainder below 2^-57, by Horner's
// method: sum = 1 + sum * (r * inverse).
inline constexpr double kExpInverses[] = {
    1. / 13, 1. / 12, 1. / 11, 1. / 10, 1. / 9, 1. / 8, 1. / 7,
    1. / 6,  1. / 5,  1. / 4,  1. / 3,  1. / 2, 1.};

// exp(x) for x <= 0, within 4 ulp; 0 for x below -708 and for NaN. It has no
// branches, so that a loop over it can be vectorized.
inline double exactExp(double x) {
  double clamped = x > kExpLowest ? x : kExpLowest;
  double shifted = clamped * kLog2E + kExpMagic;
  double k = shifted - kExpMagic;
  double r = (clamped - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (double inverse : kExpInverses)
    sum = 1.0 + sum * (r * inverse);
  double power = std::bit_cast<double>(
      (std::bit_cast<uint64_t>(shifted) << 52) + (uint64_t{1023} << 52));
  return x > kExpLowest ? sum * power : 0.0;
}

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;
inline constexpr double kSquareRootOf2 = 0x1.6a09e667f3bcdp0;
inline constexpr int kLogTerms = 23; // the last term of the series: s^23 / 23

// log(x) for normal x > 0, within 2 ulp of the larger of |log(x)| and 2^-50.
inline double exactLog(double x) {
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) |
                                          0x3FF0000000000000ull);
  if (mantissa > kSquareRootOf2) { // keeps |s| below 0.172
    mantissa *= 0.5;
    ++exponent;
  }
  double s = (mantissa - 1.0) / (mantissa + 1.0);
  double square = s * s;
  double sum = 0.0;
  // log(m) = 2 (s + s^3/3 + s^5/5 + ...)
  for (int i = kLogTerms; i > 0; i -= 2)
    sum = sum * square + 1.0 / static_cast<double>(i);
  return static_cast<double>(exponent) * kLn2 + 2.0 * s * sum;
}

// The largest vocabulary, in tokens. Sums of masses then fit in 64 bits.
inline constexpr int64_t kMostTokens = int64_t{1} << 19;
// The mass of the most likely token.
inline constexpr double kLargestMass = 0x1p44;
// Adding it to a number in [0, 2^52] rounds to an integer, which then stands in
// the low bits.
inline constexpr double kIntegerMagic = 0x1p52;

// The weight of a token in a draw: exp(x / T - x_max / T) * 2^44, rounded to an
// integer, so that the order of a sum does not matter. The quotients are
// float32, as in the program's log-probability. `largestQuotient` is largest /
// temperature.
inline uint64_t massOf(float logit, float largest, float temperature,
                       float largestQuotient) {
  double distance = static_cast<double>(logit / temperature) -
                    static_cast<double>(largestQuotient);
  // Also when the quotients overflow.
  distance = logit == largest ? 0.0 : distance;
  return std::bit_cast<uint64_t>(exactExp(distance) * kLargestMass +
                                 kIntegerMagic) -
         std::bit_cast<uint64_t>(kIntegerMagic);
}

// x rounded up to an integer, for x in [0, 2^63].
inline uint64_t ceiling(double x) {
  auto below = static_cast<uint64_t>(x);
  return below + (static_cast<double>(below) < x);
}
// The mass that top_p keeps of the mass that top_k has left.
inline uint64_t wantedMass(double topP, uint64_t left) {
  return std::clamp<uint64_t>(ceiling(topP * static_cast<double>(left)), 1,
                              left);
}
// The smallest mass that min_p keeps.
inline uint64_t leastMass(double minP) { return ceiling(minP * kLargestMass); }
// Logarithm of the share of the mass that the filters keep.
inline float logKeptMass(uint64_t kept, uint64_t all) {
  return static_cast<float>(
      exactLog(static_cast<double>(kept) / static_cast<double>(all)));
}

// The rank of a token as an integer, ascending: the most likely token comes
// first, and of equally likely tokens the lower one.
inline constexpr int kRankTokenBits = 20;
inline constexpr int kRankBits = 32 + kRankTokenBits;
inline uint64_t rankOf(float logit, uint32_t token) {
  auto bits =
      std::bit_cast<uint32_t>(logit == 0.0f ? 0.0f : logit); // -0 equals 0
  uint32_t descending =
      (bits & 0x80000000u) != 0 ? bits : ~(bits | 0x80000000u);
  return static_cast<uint64_t>(descending) << kRankTokenBits | token;
}

// Why nothing can be drawn from a row, encoded as kind + 4 * the lowest token
// at fault.
enum class BadRow : int32_t {
  kNone = 0,
  kNaN = 1,
  kInfinite = 2,
  kNoneFinite = 3
};
inline constexpr int32_t kBadRowKinds = 4;

} // namespace nibble::numerics
