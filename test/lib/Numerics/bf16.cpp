// bf16, E4M3 and ulp distances, each checked against an independent
// formulation.
#include "lib/Numerics/bf16.h"
#include "lib/Numerics/fp8.h"
#include "lib/Numerics/ulp.h"

#include <cmath>
#include <cstdio>
#include <gtest/gtest.h>
#include <random>

using namespace nibble::numerics;

namespace {

// Nearest bf16 by a search in double among the two neighbours of x; the even
// one on a tie.
uint16_t nearestBf16(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  uint16_t below = static_cast<uint16_t>(bits >> 16);
  uint16_t above = static_cast<uint16_t>(below + 1);
  if ((bits & 0xFFFF) == 0)
    return below;
  auto value = [](uint16_t b) {
    // Beyond the largest finite number the grid continues with 2^128, which is
    // infinity.
    return (b & 0x7FFF) == 0x7F80
               ? std::copysign(0x1p128, b & 0x8000 ? -1.0 : 1.0)
               : static_cast<double>(floatFromBf16(b));
  };
  double toBelow = std::fabs(x - value(below));
  double toAbove = std::fabs(x - value(above));
  if (toBelow != toAbove)
    return toBelow < toAbove ? below : above;
  return below & 1 ? above : below;
}

TEST(Bf16, EveryPatternSurvivesARoundTrip) {
  int count = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    uint16_t out = bf16FromFloat(floatFromBf16(static_cast<uint16_t>(bits)));
    if ((bits & 0x7FFF) > 0x7F80)
      ASSERT_EQ(out, bits | 0x40) << "a NaN stays NaN, quiet";
    else
      ASSERT_EQ(out, bits);
    ++count;
  }
  std::printf("bf16 -> float -> bf16: %d patterns equal\n", count);
}

TEST(Bf16, RoundsToNearestEvenAroundEveryNumber) {
  int count = 0;
  for (uint32_t high = 0; high < 0x10000; ++high) {
    if ((high & 0x7FFF) >= 0x7F80)
      continue;
    for (uint32_t low : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      float x = std::bit_cast<float>(high << 16 | low);
      ASSERT_EQ(bf16FromFloat(x), nearestBf16(x))
          << std::hex << (high << 16 | low);
      ++count;
    }
  }
  std::printf(
      "bf16 rounding: %d float32 numbers against the nearest neighbour\n",
      count);
}

TEST(Bf16, NaNNeverBecomesInfinity) {
  for (uint32_t bits :
       {0x7F800001u, 0xFF800001u, 0x7FFFFFFFu, 0xFFFFFFFFu, 0x7FC00000u})
    EXPECT_TRUE(
        std::isnan(floatFromBf16(bf16FromFloat(std::bit_cast<float>(bits)))))
        << std::hex << bits;
  EXPECT_EQ(bf16FromFloat(INFINITY), 0x7F80);
  EXPECT_EQ(bf16FromFloat(3.4e38f), 0x7F80)
      << "above the largest by more than half a step";
  EXPECT_FALSE(isFiniteBf16(0x7F80));
  EXPECT_FALSE(isFiniteBf16(0xFFC0));
  EXPECT_TRUE(isFiniteBf16(0xFF7F));
}

TEST(E4M3, KnownValues) {
  EXPECT_EQ(floatFromE4M3(0x7E), 448.0f);
  EXPECT_EQ(floatFromE4M3(0x01), 0x1p-9f);
  EXPECT_EQ(floatFromE4M3(0x08), 0x1p-6f);
  EXPECT_EQ(floatFromE4M3(0xB8), -1.0f);
  EXPECT_TRUE(std::isnan(floatFromE4M3(0x7F)));
  EXPECT_TRUE(std::isnan(floatFromE4M3(0xFF)));
  EXPECT_EQ(e4m3FromFloat(1e9f), 0x7E) << "saturates";
  EXPECT_EQ(e4m3FromFloat(-INFINITY), 0xFE);
  EXPECT_EQ(e4m3FromFloat(NAN) & 0x7F, 0x7F);
}

TEST(E4M3, EveryPatternAndEveryMidpoint) {
  int count = 0;
  for (int bits = 0; bits < 0x7E; ++bits) {
    float below = floatFromE4M3(static_cast<uint8_t>(bits));
    float above = floatFromE4M3(static_cast<uint8_t>(bits + 1));
    float middle = (below + above) / 2; // exact
    int even = bits & 1 ? bits + 1 : bits;
    for (float sign : {1.0f, -1.0f}) {
      int s = sign < 0 ? 0x80 : 0;
      ASSERT_EQ(e4m3FromFloat(sign * below), bits | s);
      ASSERT_EQ(e4m3FromFloat(sign * middle), even | s) << bits;
      ASSERT_EQ(e4m3FromFloat(sign * std::nextafter(middle, 0.0f)), bits | s);
      ASSERT_EQ(e4m3FromFloat(sign * std::nextafter(middle, 1e9f)),
                (bits + 1) | s);
      count += 4;
    }
  }
  std::printf("E4M3: %d conversions at numbers, ties and beside ties\n", count);
}

TEST(Ulp, CountsSteps) {
  EXPECT_EQ(ulpDistance(1.0f, std::nextafter(1.0f, 2.0f)), 1);
  EXPECT_EQ(ulpDistance(-0.0f, 0.0f), 0);
  EXPECT_EQ(ulpDistance(std::numeric_limits<float>::denorm_min(),
                        -std::numeric_limits<float>::denorm_min()),
            2);
  EXPECT_EQ(ulpDistance(std::numeric_limits<float>::max(), INFINITY), 1);
  EXPECT_EQ(ulpDistance(NAN, NAN), kUlpNever);
  EXPECT_EQ(ulpDistance(1.0f, NAN), kUlpNever);
  EXPECT_EQ(ulpDistanceBf16(0x3F80, 0x3F83), 3);
  EXPECT_EQ(ulpDistanceBf16(0x8001, 0x0001), 2);
  EXPECT_EQ(ulpDistanceBf16(0x7FC0, 0x7FC0), kUlpNever);
}

} // namespace
