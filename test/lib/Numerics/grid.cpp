// Checks N3 to N7 exhaustively: every bf16 amax, every bf16 scale with every
// code, NaN and infinity at every kind of place.
#include "lib/Numerics/grid.h"
#include "lib/Numerics/quantize.h"

#include <cfenv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>

using namespace nibble::numerics;

namespace {

const Scheme kInt4Row{Kind::kInt4, 0};

struct Quantized {
  std::vector<int8_t> codes;
  uint16_t scale;
};

// One row, one group.
Quantized quantizeRow(const std::vector<uint16_t> &row, Scheme scheme) {
  PackedLayout layout{1, static_cast<int64_t>(row.size()), scheme,
                      Layout::kInterchange};
  EXPECT_EQ(layout.problem(), "");
  std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
  EXPECT_EQ(quantizeMatrix(row.data(), layout, slab.data()), std::nullopt);
  Quantized result{std::vector<int8_t>(row.size()),
                   bf16FromFloat(loadScale(layout, slab.data(), 0))};
  unpackCodes(layout, 0, 1, slab.data(), result.codes.data());
  return result;
}

std::vector<uint16_t> dequantizeRow(const Quantized &quantized, Scheme scheme) {
  PackedLayout layout{1, static_cast<int64_t>(quantized.codes.size()), scheme,
                      Layout::kInterchange};
  std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
  packCodes(layout, 0, 1, quantized.codes.data(), slab.data());
  std::memcpy(slab.data() + layout.codeBytes(), &quantized.scale, 2);
  std::vector<uint16_t> out(quantized.codes.size());
  dequantizeMatrix(slab.data(), layout, out.data());
  return out;
}

TEST(Grid, RoundHalfEvenIsNearbyint) {
  ASSERT_EQ(std::fegetround(), FE_TONEAREST);
  for (int i = -4000; i <= 4000; ++i) {
    float x = static_cast<float>(i) / 16.0f;
    ASSERT_EQ(roundHalfEven(x), std::nearbyint(x)) << x;
  }
}

// N3: s = bf16(amax / 7) with a float32 quotient. The test computes it in
// double. The quotient of two bf16 significands is never so close to a bf16 tie
// that float32's rounding matters; this checks that for every amax.
TEST(Grid, N3ScaleOfEveryAmax) {
  int count = 0;
  for (uint16_t amax = 0; amax <= kBf16LargestFinite; ++amax) {
    double exact = static_cast<double>(floatFromBf16(amax)) / 7.0;
    uint16_t expected = bf16FromFloat(static_cast<float>(exact));
    Scale scale = Grid(kInt4Row).scaleOf(amax);
    ASSERT_EQ(scale.stored, expected) << std::hex << amax;
    ASSERT_EQ(scale.used, floatFromBf16(static_cast<uint16_t>(scale.stored)));
    ++count;
  }
  std::printf("N3: %d amax\n", count);
}

// N4: every finite bf16 x against nearbyint of the float32 quotient, for
// several scales.
TEST(Grid, N4CodeOfEveryWeight) {
  int64_t count = 0;
  for (uint16_t scaleBits :
       {0x0001, 0x0080, 0x3C12, 0x3F80, 0x3F81, 0x3FFF, 0x42F7, 0x7E00}) {
    float scale = floatFromBf16(scaleBits);
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
      uint16_t x = static_cast<uint16_t>(bits);
      if (!isFiniteBf16(x))
        continue;
      float quotient = std::nearbyint(floatFromBf16(x) / scale);
      int expected =
          static_cast<int>(std::min(std::max(quotient, -7.0f), 7.0f));
      ASSERT_EQ(Grid(kInt4Row).codeOf(floatFromBf16(x), scale), expected)
          << std::hex << x << " / " << scaleBits;
      ++count;
    }
  }
  EXPECT_EQ(Grid(kInt4Row).codeOf(3.0f, 0.0f), 0) << "no scale, no code";
  std::printf("N4: %lld quotients\n", static_cast<long long>(count));
}

// N5: the product is exact in float32, so the value is one rounding of the
// exact product (computed in double).
TEST(Grid, N5ValueOfEveryScaleAndCode) {
  int64_t count = 0;
  for (uint32_t bits = 0; bits <= kBf16LargestFinite; ++bits) {
    std::vector<int8_t> codes;
    for (int8_t code = -8; code <= 7; ++code)
      codes.push_back(code);
    auto values = dequantizeRow({codes, static_cast<uint16_t>(bits)}, kInt4Row);
    for (size_t i = 0; i < codes.size(); ++i, ++count) {
      double exact =
          static_cast<double>(codes[i]) *
          static_cast<double>(floatFromBf16(static_cast<uint16_t>(bits)));
      if (std::fabs(exact) < 3.4e38)
        ASSERT_EQ(static_cast<double>(static_cast<float>(exact)), exact)
            << "exact in float32";
      ASSERT_EQ(values[i], bf16FromFloat(static_cast<float>(exact)))
          << std::hex << bits << " * " << int(codes[i]);
    }
  }
  std::printf("N5: %lld products\n", static_cast<long long>(count));
}

// N6: for every positive amax, the group with all fifteen values of its grid is
// a fixed point.
//
// The complete list of exceptions is the largest amax and four denormals. For
// the largest amax, 7 s overflows. For the four denormals, s is rounded
// coarsely (to 4, 4, 5 and 6 steps of 2^-133). The largest code is then 6, and
// the group's amax shrinks.
TEST(Grid, N6FixedPointOfEveryAmax) {
  int withScale = 0, fixed = 0;
  std::vector<uint16_t> exceptions;
  for (uint16_t amax = 1; amax <= kBf16LargestFinite; ++amax) {
    Scale scale = Grid(kInt4Row).scaleOf(amax);
    withScale += scale.stored != 0;
    std::vector<uint16_t> row = {amax, static_cast<uint16_t>(amax | 0x8000)};
    for (int8_t code = -6; code <= 6; ++code)
      row.push_back(Grid(kInt4Row).valueOf(code, scale.used));
    Quantized once = quantizeRow(row, kInt4Row);
    auto values = dequantizeRow(once, kInt4Row);
    if (firstNotFinite(values.data(), static_cast<int64_t>(values.size()))) {
      exceptions.push_back(amax);
      continue;
    }
    Quantized twice = quantizeRow(values, kInt4Row);
    if (twice.codes != once.codes || twice.scale != once.scale ||
        dequantizeRow(twice, kInt4Row) != values)
      exceptions.push_back(amax);
    else
      ++fixed;
  }
  EXPECT_EQ(withScale, 32636)
      << "the three smallest have s = 0, and all codes 0";
  EXPECT_EQ(exceptions, (std::vector<uint16_t>{0x0019, 0x001A, 0x0020, 0x0027,
                                               kBf16LargestFinite}));
  std::printf("N6: %d amax with a scale, %d fixed points, %zu exceptions\n",
              withScale, fixed, exceptions.size());
}

TEST(Grid, N4NeverMinusEight) {
  for (uint16_t amax = 1; amax <= kBf16LargestFinite; ++amax) {
    Quantized q = quantizeRow(
        {static_cast<uint16_t>(amax | 0x8000), amax, 0, 0x8000}, kInt4Row);
    ASSERT_GE(q.codes[0], -7);
    ASSERT_EQ(q.codes[0], -q.codes[1]);
    ASSERT_EQ(q.codes[2], 0);
    ASSERT_EQ(q.codes[3], 0);
  }
}

TEST(Grid, ZeroGroupIsZero) {
  std::vector<uint16_t> zeros(32, 0x8000); // minus zero
  Quantized q = quantizeRow(zeros, {Kind::kInt4, 32});
  EXPECT_EQ(q.scale, 0);
  EXPECT_EQ(q.codes, std::vector<int8_t>(32, 0));
  EXPECT_EQ(dequantizeRow(q, {Kind::kInt4, 32}), std::vector<uint16_t>(32, 0));
}

TEST(Grid, N7FirstNotFiniteIsNamed) {
  for (const SchemeRow &row : schemeTable())
    for (uint16_t bad : {0x7F80, 0xFF80, 0x7FC0, 0xFFFF, 0x7F81})
      for (int64_t index : {0, 31, 32, 129, 300 * 128 - 1}) {
        PackedLayout layout{300, 128,
                            schemeOf(row.kind, 32, Convention::kNibble),
                            Layout::kHost};
        std::vector<uint16_t> weight(300 * 128, 0x3F80);
        weight[static_cast<size_t>(index)] = bad;
        weight.back() = bad;
        std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
        EXPECT_EQ(quantizeMatrix(weight.data(), layout, slab.data()), index)
            << row.name;
        EXPECT_EQ(fakeQuantizeMatrix(weight.data(), 300, 128, layout.scheme,
                                     weight.data()),
                  index)
            << row.name;
      }
}

// Weights for every amax. Their groups or blocks have the magnitudes amax, amax
// * 15/16, ..., amax * 1/16 with alternating signs. There is a group of 16 for
// every amax, or a block for every 64th.
std::vector<uint16_t> everyAmax(const Scheme &scheme, PackedLayout &layout) {
  int64_t side = scheme.groupSize;
  int64_t step = scheme.row().inBlocks ? 64 : 1;
  int64_t rows = scheme.row().inBlocks ? side : 1;
  std::vector<uint16_t> weight;
  for (int64_t amax = 0; amax <= kBf16LargestFinite; amax += step)
    for (int64_t i = 0; i < rows * side; ++i) {
      float part = floatFromBf16(static_cast<uint16_t>(amax)) *
                   (static_cast<float>(16 - i % 16) / 16.0f);
      weight.push_back(bf16FromFloat(i % 3 == 1 ? -part : part));
    }
  layout = {static_cast<int64_t>(weight.size()) / side, side, scheme,
            Layout::kInterchange};
  return weight;
}

// isExact says what may be quantized once and read packed; isFixedPoint (N6)
// says what may be rounded twice. The test checks both for every scheme on the
// numbers themselves.
TEST(Grid, TablesSayWhichSchemesAreExactAndFixed) {
  for (const SchemeRow &row : schemeTable())
    for (Convention convention : row.conventions) {
      Scheme scheme = schemeOf(row.kind, 16, convention);
      SCOPED_TRACE(toString(scheme));
      PackedLayout layout;
      std::vector<uint16_t> weight = everyAmax(scheme, layout);
      ASSERT_EQ(layout.problem(), "");
      std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
      std::vector<uint16_t> fake(weight.size()), packed(weight.size()),
          twice(weight.size());
      ASSERT_EQ(fakeQuantizeMatrix(weight.data(), layout.n, layout.k, scheme,
                                   fake.data()),
                std::nullopt);
      ASSERT_EQ(quantizeMatrix(weight.data(), layout, slab.data()),
                std::nullopt);
      dequantizeMatrix(slab.data(), layout, packed.data());
      int64_t differing = 0, moved = 0;
      for (size_t i = 0; i < weight.size(); ++i)
        differing += fake[i] != packed[i];
      EXPECT_EQ(differing == 0, scheme.isExact());
      // The largest amax decodes to infinity, which cannot be quantized again.
      for (uint16_t &value : fake)
        if (!isFiniteBf16(value))
          value = 0;
      ASSERT_EQ(fakeQuantizeMatrix(fake.data(), layout.n, layout.k, scheme,
                                   twice.data()),
                std::nullopt);
      int64_t group = row.inBlocks ? layout.k * layout.k : layout.k;
      for (size_t i = 0; i < fake.size(); i += static_cast<size_t>(group))
        moved += !std::equal(fake.begin() + static_cast<int64_t>(i),
                             fake.begin() + static_cast<int64_t>(i) + group,
                             twice.begin() + static_cast<int64_t>(i));
      if (scheme.isFixedPoint())
        EXPECT_LE(moved, 5) << "N6 names five of int4";
      if (convention == Convention::kCompressedTensors)
        EXPECT_GT(moved, 1000) << "exact, and yet no fixed point";
      std::printf("%s: %zu weights, %lld decode otherwise than trained, %lld "
                  "groups move when rounded again\n",
                  toString(scheme).c_str(), weight.size(),
                  static_cast<long long>(differing),
                  static_cast<long long>(moved));
    }
}

TEST(Grid, OtherSchemesFollowTheirTable) {
  uint16_t one = bf16FromFloat(1.0f);
  // slime: the scale is amax * 0x3E124925 and at least 1e-5. It is float32 in
  // training and bf16 in rollout.
  Scale slime = Grid({Kind::kInt4, 32, Convention::kSlime}).scaleOf(one);
  EXPECT_EQ(std::bit_cast<uint32_t>(slime.used), 0x3E124925u);
  EXPECT_EQ(slime.stored, 0x3E12u);
  Scale least =
      Grid({Kind::kInt4, 32, Convention::kSlime}).scaleOf(bf16FromFloat(1e-6f));
  EXPECT_EQ(least.used, 1e-5f);
  EXPECT_EQ(least.stored, bf16FromFloat(1e-5f));
  // compressed-tensors: amax / 7.5, so that -amax is -7.5, which rounds to the
  // even -8.
  Scheme theirs{Kind::kInt4, 0, Convention::kCompressedTensors};
  EXPECT_EQ(Grid(theirs).scaleOf(one).stored, bf16FromFloat(1.0f / 7.5f));
  auto q = quantizeRow(
      {bf16FromFloat(-7.5f), bf16FromFloat(7.5f), one, bf16FromFloat(-0.5f)},
      theirs);
  EXPECT_EQ(q.scale, one);
  EXPECT_EQ(q.codes, (std::vector<int8_t>{-8, 7, 1, 0}));
  // int8.
  EXPECT_EQ(Grid({Kind::kInt8, 32}).scaleOf(bf16FromFloat(127.0f)).used, 1.0f);
  auto bytes = quantizeRow({bf16FromFloat(127.0f), bf16FromFloat(-127.0f),
                            bf16FromFloat(2.5f), bf16FromFloat(3.5f)},
                           {Kind::kInt8, 0});
  EXPECT_EQ(bytes.codes, (std::vector<int8_t>{127, -127, 2, 4}));
  // fp8: the block's float32 scale.
  Grid fp8({Kind::kFp8, 128});
  EXPECT_EQ(fp8.scaleOf(bf16FromFloat(896.0f)).used, 2.0f);
  EXPECT_EQ(fp8.codeOf(896.0f, 2.0f), 0x7E);
  EXPECT_EQ(fp8.valueOf(0x7E, 2.0f), bf16FromFloat(896.0f));
}

TEST(Grid, Fp8BlocksHaveTheirOwnScale) {
  // Four blocks, [130, 140]. The block's largest element is a power of two
  // times 448, so every element is exact.
  PackedLayout layout{130, 140, {Kind::kFp8, 128}, Layout::kInterchange};
  std::vector<uint16_t> weight(130 * 140);
  float blockScale[2][2] = {{1.0f, 0.25f}, {8.0f, 0x1p-20f}};
  for (int n = 0; n < 130; ++n)
    for (int k = 0; k < 140; ++k)
      weight[static_cast<size_t>(n * 140 + k)] = bf16FromFloat(
          blockScale[n / 128][k / 128] * ((n + k) % 3 == 0 ? 448.0f : -1.0f));
  std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
  ASSERT_EQ(quantizeMatrix(weight.data(), layout, slab.data()), std::nullopt);
  for (int block = 0; block < 4; ++block)
    EXPECT_EQ(loadScale(layout, slab.data(), block),
              blockScale[block / 2][block % 2]);
  std::vector<uint16_t> out(weight.size());
  dequantizeMatrix(slab.data(), layout, out.data());
  EXPECT_EQ(out, weight);
}

} // namespace
