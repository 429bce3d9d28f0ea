// exp and log in double precision from IEEE operations only: the same bits with every libm and every vector width.
#pragma once

#include <bit>
#include <cstdint>

namespace nibble {

// exp(x) for x <= 0, within 4 ulp; 0 below -708. Without branches, so that a loop over it becomes vectors.
inline double exactExp(double x) {
  // x = k ln 2 + r with |r| <= ln(2) / 2. Adding 1.5 * 2^52 rounds to the nearest integer and leaves it in the low
  // bits.
  constexpr double kMagic = 0x1.8p52, kLog2E = 0x1.71547652b82fep0, kLn2High = 0x1.62e42fefap-1,
                   kLn2Low = 0x1.cf79abc9e3b3ap-40;
  double clamped = x > -708.0 ? x : -708.0;
  double shifted = clamped * kLog2E + kMagic, k = shifted - kMagic;
  double r = (clamped - k * kLn2High) - k * kLn2Low;
  double sum = 1.0; // Taylor series to r^13 / 13!, remainder below 2^-57, by Horner
  for (double inverse :
       {1. / 13, 1. / 12, 1. / 11, 1. / 10, 1. / 9, 1. / 8, 1. / 7, 1. / 6, 1. / 5, 1. / 4, 1. / 3, 1. / 2, 1.})
    sum = 1.0 + sum * (r * inverse);
  double power = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) << 52) + (uint64_t{1023} << 52));
  return x > -708.0 ? sum * power : 0.0;
}

// log(x) for normal x > 0, within 2 ulp of the larger of |log(x)| and 2^-50.
inline double exactLog(double x) {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int64_t exponent = static_cast<int64_t>(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (mantissa > 0x1.6a09e667f3bcdp0) { // sqrt(2): keeps |s| below 0.172
    mantissa *= 0.5;
    ++exponent;
  }
  double s = (mantissa - 1.0) / (mantissa + 1.0), square = s * s, sum = 0.0;
  for (int i = 23; i > 0; i -= 2) // log(m) = 2 (s + s^3/3 + s^5/5 + ...)
    sum = sum * square + 1.0 / static_cast<double>(i);
  return static_cast<double>(exponent) * kLn2 + 2.0 * s * sum;
}

} // namespace nibble
