// MXFP4: every code under every scale, every scale, every code of every bf16
// number, against double arithmetic that knows the formats by their tables.
#include "lib/Numerics/microscaling.h"
#include "lib/Numerics/grid.h"
#include "lib/Numerics/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>

using namespace nibble::numerics;

namespace {

const Scheme kMxfp4{Kind::kMxfp4, 32};

// The table of the OCP specification.
constexpr std::array<double, 8> kE2M1 = {0.0, 0.5, 1.0, 1.5,
                                         2.0, 3.0, 4.0, 6.0};

double numberOf(int code) {
  return code & 8 ? -kE2M1[static_cast<size_t>(code & 7)]
                  : kE2M1[static_cast<size_t>(code)];
}

// bf16 to nearest even in double, whose last place is far below.
uint16_t bf16FromDouble(double value) {
  if (std::isnan(value))
    return 0x7FC0;
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(value);
  int exponent =
      magnitude == 0.0 ? -126 : std::max(std::ilogb(magnitude), -126);
  double steps = std::nearbyint(std::ldexp(magnitude, 7 - exponent));
  if (std::ldexp(steps, exponent - 7) >= 0x1p128)
    return sign | 0x7F80;
  return static_cast<uint16_t>(sign + (exponent + 126) * 128 +
                               static_cast<int>(steps));
}

TEST(Mxfp4, EveryCodeUnderEveryScale) {
  int count = 0;
  int infinite = 0;
  Grid grid(kMxfp4);
  for (int exponent = 0; exponent < 256; ++exponent)
    for (int code = 0; code < 16; ++code, ++count) {
      double exact = exponent == 255
                         ? std::nan("")
                         : numberOf(code) * std::ldexp(1.0, exponent - 127);
      uint16_t expected = bf16FromDouble(exact);
      float scale =
          floatFromScale(ScaleType::kE8M0, static_cast<uint32_t>(exponent));
      uint16_t value = grid.valueOf(static_cast<int8_t>(code), scale);
      if (exponent == 255) {
        ASSERT_TRUE(std::isnan(floatFromBf16(value))) << code;
        continue;
      }
      ASSERT_EQ(value, expected) << code << " under 2^" << exponent - 127;
      infinite += std::isinf(floatFromBf16(value));
      if (std::isfinite(floatFromBf16(value)))
        ASSERT_EQ(static_cast<double>(floatFromBf16(value)), exact)
            << "the product is a bf16 number";
    }
  // 2, 3, 4, 6 under 2^127 and 4, 6 under 2^126, with either sign.
  EXPECT_EQ(infinite, 2 * (4 + 2));
  std::printf("mxfp4: %d products compared, %d infinite\n", count, infinite);
}

// The scale of the specification, floor(log2(amax)) - 2, kept within E8M0.
TEST(Mxfp4, ScaleOfEveryAmax) {
  int count = 0;
  for (uint16_t amax = 0; amax <= kBf16LargestFinite; ++amax, ++count) {
    int exponent =
        amax == 0 ? -127 : std::max(std::ilogb(floatFromBf16(amax)) - 2, -127);
    Scale scale = Grid(kMxfp4).scaleOf(amax);
    ASSERT_EQ(scale.stored, static_cast<uint32_t>(exponent + 127))
        << std::hex << amax;
    ASSERT_EQ(static_cast<double>(scale.used), std::ldexp(1.0, exponent));
  }
  std::printf("mxfp4: %d scales compared\n", count);
}

// The nearest of the sixteen, the even code of two that are as near. Above 6
// times the scale it is 6.
TEST(Mxfp4, CodeOfEveryNumber) {
  int64_t count = 0;
  int64_t ties = 0;
  for (int exponent : {0, 1, 2, 64, 120, 127, 128, 200, 252}) {
    float scale = floatFromE8M0(static_cast<uint8_t>(exponent));
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      auto x = static_cast<uint16_t>(bits);
      if (!isFiniteBf16(x))
        continue;
      // Far above 6, the distances to 4 and to 6 round to the same double.
      double quotient = std::min(
          6.0, std::fabs(std::ldexp(static_cast<double>(floatFromBf16(x)),
                                    127 - exponent)));
      int best = 0;
      for (int code = 1; code < 8; ++code) {
        double distance =
            std::fabs(kE2M1[static_cast<size_t>(code)] - quotient);
        double least = std::fabs(kE2M1[static_cast<size_t>(best)] - quotient);
        ties += distance == least;
        if (distance < least || (distance == least && code % 2 == 0))
          best = code;
      }
      int expected = best | (x & 0x8000 ? 8 : 0);
      ASSERT_EQ(Grid(kMxfp4).codeOf(floatFromBf16(x), scale), expected)
          << std::hex << x << " under 2^" << std::dec << exponent - 127;
      ++count;
    }
  }
  EXPECT_GT(ties, 100);
  std::printf("mxfp4: %lld codes compared, %lld half-way points\n",
              static_cast<long long>(count), static_cast<long long>(ties));
}

// N6 without an exception: the values of a group, quantized again, give the
// same bytes, whatever its largest magnitude.
TEST(Mxfp4, N6FixedPointOfEveryAmax) {
  PackedLayout layout{1, 32, kMxfp4, Layout::kInterchange};
  int count = 0;
  for (uint16_t amax = 0; amax <= kBf16LargestFinite; ++amax, ++count) {
    std::vector<uint16_t> row;
    for (int i = 0; i < 32; ++i) {
      float part = floatFromBf16(amax) * (static_cast<float>(32 - i) / 32.0f);
      row.push_back(bf16FromFloat(i % 3 == 1 ? -part : part));
    }
    std::vector<uint8_t> once(17), twice(17);
    ASSERT_EQ(quantizeMatrix(row.data(), layout, once.data()), std::nullopt);
    dequantizeMatrix(once.data(), layout, row.data());
    ASSERT_EQ(quantizeMatrix(row.data(), layout, twice.data()), std::nullopt);
    ASSERT_EQ(once, twice) << std::hex << amax;
  }
  std::printf("mxfp4: %d groups are fixed points\n", count);
}

// A row that counts its codes: the low half of a byte is the even element, as
// in checkpoints of the format mxfp4-pack-quantized. A scale is one byte.
TEST(Mxfp4, GoldenBytes) {
  PackedLayout layout{1, 32, kMxfp4, Layout::kInterchange};
  ASSERT_EQ(layout.codeBytes(), 16);
  ASSERT_EQ(layout.scaleBytes(), 1);
  std::vector<uint16_t> row;
  for (int i = 0; i < 32; ++i)
    row.push_back(bf16FromFloat(static_cast<float>(numberOf(i % 16))));
  std::vector<uint8_t> slab(17);
  ASSERT_EQ(quantizeMatrix(row.data(), layout, slab.data()), std::nullopt);
  for (size_t i = 0; i < 16; ++i)
    EXPECT_EQ(slab[i], 0x10 + 0x22 * (i % 8)) << i;
  EXPECT_EQ(slab[16], 127) << "the largest is 6: 2^(2 - 2)";
  row[0] = bf16FromFloat(7.9f); // beyond 6 under the same scale
  row[2] = bf16FromFloat(-5.0f);
  row[4] = bf16FromFloat(0.25f);
  ASSERT_EQ(quantizeMatrix(row.data(), layout, slab.data()), std::nullopt);
  EXPECT_EQ(slab[0], 0x17);
  EXPECT_EQ(slab[1], 0x3E) << "-5 lies between -4 and -6, and -4 is even";
  EXPECT_EQ(slab[2], 0x50) << "1/4 lies between 0 and 1/2, and 0 is even";
  EXPECT_EQ(slab[16], 127);
}

// What only fills words and slabs up is code 0 under scale bits 0: zeros.
TEST(Mxfp4, PaddingIsZero) {
  for (Layout order : {Layout::kHost, Layout::kHopper}) {
    PackedLayout layout{3, 32, kMxfp4, order};
    std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()), 0xEE);
    std::vector<uint16_t> sixes(3 * 32, bf16FromFloat(6.0f));
    std::vector<uint16_t> out(3 * 32);
    ASSERT_EQ(quantizeMatrix(sixes.data(), layout, slab.data()), std::nullopt);
    int64_t codes = 0;
    for (int64_t i = 0; i < layout.codeBytes(); ++i) {
      uint8_t byte = slab[static_cast<size_t>(i)];
      for (int shift : {0, 4}) {
        int code = byte >> shift & 0xF;
        ASSERT_TRUE(code == 7 || code == 0) << i;
        codes += code == 7;
      }
    }
    EXPECT_EQ(codes, 3 * 32) << nameOf(order);
    dequantizeMatrix(slab.data(), layout, out.data());
    EXPECT_EQ(out, sixes) << nameOf(order);
    int64_t scales = 0;
    for (int64_t i = layout.codeBytes(); i < layout.bytes(); ++i)
      scales += slab[static_cast<size_t>(i)] != 0;
    EXPECT_EQ(scales, 3) << nameOf(order);
  }
}

// Every byte of every layout decodes and encodes back; repack is a permutation
// with an exact inverse.
TEST(Mxfp4, RepackAndBack) {
  constexpr Layout kLayouts[] = {Layout::kInterchange, Layout::kHost,
                                 Layout::kHopper};
  PackedLayout from{64, 128, kMxfp4, Layout::kInterchange};
  std::vector<uint8_t> slab(static_cast<size_t>(from.bytes()));
  for (size_t i = 0; i < slab.size(); ++i)
    slab[i] = static_cast<uint8_t>(i * 7 + i / 256);
  for (Layout order : kLayouts) {
    PackedLayout to = from;
    to.layout = order;
    std::vector<uint8_t> moved(static_cast<size_t>(to.bytes()));
    std::vector<uint8_t> back(slab.size());
    repack(from, slab.data(), order, moved.data());
    repack(to, moved.data(), from.layout, back.data());
    EXPECT_EQ(back, slab) << nameOf(order);
  }
}

} // namespace
