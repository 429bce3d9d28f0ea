// Checks the convention compressed_tensors against an integer oracle, the
// results of the public package, and a slice of a public release.
#include "lib/Numerics/compressed_tensors.h"

#include "lib/Numerics/grid.h"
#include "lib/Numerics/quantize.h"
#include "test/lib/Numerics/compressed_tensors.inc"
#include "test/lib/Numerics/kimi_slice.inc"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>

using namespace nibble::numerics;

namespace {

const Scheme kTheirs{Kind::kInt4, 32, Convention::kCompressedTensors};

// A finite bf16 as mantissa * 2^exponent. The mantissa has no sign.
struct Parts {
  int64_t mantissa;
  int exponent;
};
Parts partsOf(uint16_t bits) {
  int field = bits >> 7 & 0xFF;
  return field == 0 ? Parts{bits & 0x7F, -133}
                    : Parts{(bits & 0x7F) | 0x80, field - 134};
}

// a / b rounded to the nearest integer, ties to even.
int64_t dividedHalfEven(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  int64_t rest = a % b;
  return quotient + (2 * rest > b || (2 * rest == b && quotient % 2 == 1));
}

// a / b * 2^exponent rounded to a bf16, for a and b above 0. The result's
// mantissa has up to nine bits: 256 is the next power.
Parts roundedQuotient(int64_t a, int64_t b, int exponent) {
  while (a < 128 * b && exponent > -133)
    a *= 2, --exponent;
  while (a >= 256 * b || exponent < -133) {
    if (b > int64_t{1} << 40)
      return {0, -133};
    b *= 2, ++exponent;
  }
  return {dividedHalfEven(a, b), exponent};
}

int oracleCode(uint16_t x, uint16_t scale) {
  Parts a = partsOf(x & 0x7FFF);
  Parts b = partsOf(scale);
  if (a.mantissa == 0)
    return 0;
  Parts quotient =
      roundedQuotient(a.mantissa, b.mantissa, a.exponent - b.exponent);
  bool isNegative = (x & 0x8000) != 0;
  int64_t most = isNegative ? 8 : 7;
  int64_t magnitude = most;
  if (quotient.exponent < -30)
    magnitude = 0;
  else if (quotient.exponent <= 0)
    magnitude =
        std::min(most, dividedHalfEven(quotient.mantissa,
                                       int64_t{1} << -quotient.exponent));
  else if (quotient.mantissa == 0)
    magnitude = 0;
  return static_cast<int>(isNegative ? -magnitude : magnitude);
}

TEST(CompressedTensors, ScaleOfEveryAmax) {
  int count = 0;
  for (uint16_t amax = 1; amax <= kBf16LargestFinite; ++amax, ++count) {
    Parts parts = partsOf(amax);
    Parts exact = roundedQuotient(2 * parts.mantissa, 15, parts.exponent);
    float expected =
        std::ldexp(static_cast<float>(exact.mantissa), exact.exponent);
    Scale scale = Grid(kTheirs).scaleOf(amax);
    ASSERT_EQ(scale.used, expected == 0 ? 0x1p-7f : expected)
        << std::hex << amax;
    ASSERT_EQ(floatFromBf16(scale.stored), scale.used);
  }
  EXPECT_EQ(Grid(kTheirs).scaleOf(0).used, 0x1p-7f) << "epsilon of bf16";
  std::printf("scales of %d amax\n", count);
}

// Every bf16 with every mantissa of a scale, at exponents from the subnormal
// numbers to the largest.
TEST(CompressedTensors, CodeOfEveryWeight) {
  int64_t count = 0, moved = 0;
  for (int field : {0, 1, 60, 120, 127, 250})
    for (int mantissa = field == 0 ? 1 : 0; mantissa < 128;
         mantissa += field == 120 ? 1 : 9) {
      uint16_t scale = static_cast<uint16_t>(field << 7 | mantissa);
      float wide = floatFromBf16(scale);
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        uint16_t x = static_cast<uint16_t>(bits);
        if (!isFiniteBf16(x))
          continue;
        int code = Grid(kTheirs).codeOf(floatFromBf16(x), wide);
        ASSERT_EQ(code, oracleCode(x, scale))
            << std::hex << x << " / " << scale;
        float exact = std::min(std::max(floatFromBf16(x) / wide, -8.0f), 7.0f);
        moved += code != static_cast<int>(std::nearbyint(exact));
        ++count;
      }
    }
  EXPECT_GT(moved, 0) << "rounding the quotient first changes codes";
  std::printf(
      "%lld codes, %lld of them moved by the rounding of the quotient\n",
      static_cast<long long>(count), static_cast<long long>(moved));
}

TEST(Half, EveryHalfAndEveryMidpoint) {
  int count = 0;
  for (uint32_t bits = 0; bits < 0x7C00; ++bits, count += 4) {
    float low = floatFromHalf(static_cast<uint16_t>(bits));
    float high = bits + 1 == 0x7C00
                     ? 65536.0f
                     : floatFromHalf(static_cast<uint16_t>(bits + 1));
    float middle = (low + high) / 2;
    ASSERT_EQ(halfFromFloat(low), bits);
    ASSERT_EQ(halfFromFloat(-low), bits | 0x8000);
    ASSERT_EQ(halfFromFloat(middle), bits + (bits & 1)) << std::hex << bits;
    ASSERT_EQ(halfFromFloat(std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(halfFromFloat(std::nextafter(middle, low)), bits);
  }
  EXPECT_EQ(halfFromFloat(INFINITY), 0x7C00);
  EXPECT_EQ(halfFromFloat(-1e30f), 0xFC00);
  EXPECT_EQ(halfFromFloat(std::bit_cast<float>(0x7F800001u)) & 0x7E00, 0x7E00)
      << "NaN stays NaN";
  std::printf("%d conversions\n", count);
}

struct Recorded {
  const char *name;
  WeightType type;
  const std::vector<uint32_t> &weight, &scale, &words, &value;
};

float floatOf(WeightType type, uint32_t bits) {
  return type == WeightType::kBF16  ? floatFromBf16(static_cast<uint16_t>(bits))
         : type == WeightType::kF16 ? floatFromHalf(static_cast<uint16_t>(bits))
                                    : std::bit_cast<float>(bits);
}

int codeAt(const std::vector<uint32_t> &words, size_t element) {
  return static_cast<int>(words[element / 8] >> (4 * (element % 8)) & 0xF) - 8;
}

// Scales, codes and values equal those of the package compressed-tensors, bit
// for bit.
TEST(CompressedTensors, IsThePublicPackage) {
  namespace theirs = compressed_tensors_values;
  const std::vector<Recorded> all = {
      {"bf16", WeightType::kBF16, theirs::bf16_weight, theirs::bf16_scale,
       theirs::bf16_words, theirs::bf16_value},
      {"float16", WeightType::kF16, theirs::f16_weight, theirs::f16_scale,
       theirs::f16_words, theirs::f16_value},
      {"float32", WeightType::kF32, theirs::f32_weight, theirs::f32_scale,
       theirs::f32_words, theirs::f32_value}};
  for (const Recorded &recorded : all) {
    size_t moved = 0;
    ASSERT_EQ(recorded.weight.size(),
              static_cast<size_t>(theirs::kRows * theirs::kColumns));
    for (size_t begin = 0; begin < recorded.weight.size();
         begin += theirs::kGroup) {
      float amax = 0;
      for (size_t i = begin; i < begin + theirs::kGroup; ++i)
        amax = std::max(amax,
                        std::fabs(floatOf(recorded.type, recorded.weight[i])));
      float scale =
          floatOf(recorded.type, recorded.scale[begin / theirs::kGroup]);
      ASSERT_EQ(compressedTensorsScale(amax, recorded.type), scale)
          << recorded.name << " group at " << begin;
      for (size_t i = begin; i < begin + theirs::kGroup; ++i) {
        float x = floatOf(recorded.type, recorded.weight[i]);
        float value = floatOf(recorded.type, recorded.value[i]);
        int8_t code = compressedTensorsCode(x, scale, recorded.type);
        ASSERT_EQ(code, codeAt(recorded.words, i))
            << recorded.name << " at " << i << ": " << x << " / " << scale;
        ASSERT_EQ(compressedTensorsValue(code, scale, recorded.type), value)
            << recorded.name << " at " << i;
        moved += code != compressedTensorsCode(x, scale, WeightType::kF32);
      }
    }
    EXPECT_EQ(moved > 0, recorded.type != WeightType::kF32)
        << "the rounding of the quotient is seen";
    std::printf(
        "%s: %zu codes, %zu of them moved by the rounding of the quotient\n",
        recorded.name, recorded.weight.size(), moved);
  }
}

// The same for a whole bf16 matrix: words and scales of the slab.
TEST(CompressedTensors, AMatrixIsPackedAsByThePackage) {
  namespace theirs = compressed_tensors_values;
  PackedLayout layout{theirs::kRows, theirs::kColumns, kTheirs,
                      Layout::kInterchange};
  std::vector<uint16_t> weight(theirs::bf16_weight.begin(),
                               theirs::bf16_weight.end());
  std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
  ASSERT_EQ(quantizeMatrix(weight.data(), layout, slab.data()), std::nullopt);
  ASSERT_EQ(std::memcmp(slab.data(), theirs::bf16_words.data(),
                        theirs::bf16_words.size() * 4),
            0);
  std::vector<uint16_t> scales(theirs::bf16_scale.begin(),
                               theirs::bf16_scale.end());
  ASSERT_EQ(std::memcmp(slab.data() + layout.codeBytes(), scales.data(),
                        scales.size() * 2),
            0);
}

// Codes and scales of a public release, and its exact values. Quantizing the
// values gives the same codes and scales again.
TEST(PublicRelease, KimiSliceIsAFixedPoint) {
  PackedLayout layout{kimi_slice::kRows,
                      kimi_slice::kColumns,
                      {Kind::kInt4, kimi_slice::kGroup},
                      Layout::kInterchange};
  std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
  ASSERT_EQ(slab.size(),
            kimi_slice::words.size() * 4 + kimi_slice::scales.size() * 2);
  std::memcpy(slab.data(), kimi_slice::words.data(),
              kimi_slice::words.size() * 4);
  std::memcpy(slab.data() + layout.codeBytes(), kimi_slice::scales.data(),
              kimi_slice::scales.size() * 2);
  std::vector<uint16_t> values(kimi_slice::values.size());
  dequantizeMatrix(slab.data(), layout, values.data());
  ASSERT_EQ(values, kimi_slice::values);
  std::vector<uint8_t> again(slab.size());
  ASSERT_EQ(quantizeMatrix(values.data(), layout, again.data()), std::nullopt);
  EXPECT_EQ(again, slab);
  std::printf("%zu words and %zu scales of a public release\n",
              kimi_slice::words.size(), kimi_slice::scales.size());
}

} // namespace
