// Properties for any weight: at most half a step of error inside the range,
// idempotence, training value == rollout value.
#include "lib/Numerics/grid.h"
#include "lib/Numerics/quantize.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <rapidcheck/gtest.h>

using namespace nibble::numerics;

namespace {

struct Sample {
  PackedLayout layout;
  std::vector<uint16_t> weight;
};

// The schemes of the table whose row passes a test.
std::vector<Kind>
kindsWhere(const std::function<bool(const SchemeRow &)> &holds) {
  std::vector<Kind> kinds;
  for (const SchemeRow &row : schemeTable())
    if (holds(row))
      kinds.push_back(row.kind);
  return kinds;
}
std::vector<Kind> allKinds() {
  return kindsWhere([](const SchemeRow &) { return true; });
}

// Gaussian rows with magnitudes from 2^-140 to 2^120. Some have zeros, outliers
// and equal elements.
Sample arbitraryWeight(std::vector<Kind> kinds, int leastExponent = -140) {
  Kind kind = *rc::gen::elementOf(kinds);
  int64_t group = schemeOf(kind, *rc::gen::element<int64_t>(0, 16, 32, 64, 128),
                           Convention::kNibble)
                      .groupSize;
  int64_t n = *rc::gen::inRange<int64_t>(1, 9);
  int64_t k = group == 0 || rowOf(kind).inBlocks
                  ? *rc::gen::inRange<int64_t>(1, 300)
                  : group * *rc::gen::inRange<int64_t>(1, 8);
  Layout order =
      *rc::gen::element(Layout::kInterchange, Layout::kHost, Layout::kHopper);
  int exponent = *rc::gen::inRange(leastExponent, 121);
  int dressing = *rc::gen::inRange(0, 4);
  std::mt19937 random(*rc::gen::arbitrary<uint32_t>());
  std::normal_distribution<float> gaussian;
  Sample sample{{n, k, {kind, group}, order},
                std::vector<uint16_t>(static_cast<size_t>(n * k))};
  for (uint16_t &x : sample.weight) {
    float value = gaussian(random);
    if (dressing == 1 && random() % 4 == 0)
      value = 0.0f;
    if (dressing == 2 && random() % 16 == 0)
      value *= 30.0f;
    if (dressing == 3)
      value = std::round(value);
    x = bf16FromFloat(std::ldexp(value, exponent));
  }
  return sample;
}

std::vector<uint8_t> quantize(const Sample &sample) {
  std::vector<uint8_t> slab(static_cast<size_t>(sample.layout.bytes()));
  RC_ASSERT(quantizeMatrix(sample.weight.data(), sample.layout, slab.data()) ==
            std::nullopt);
  return slab;
}

std::vector<uint16_t> dequantize(const PackedLayout &layout,
                                 const std::vector<uint8_t> &slab) {
  std::vector<uint16_t> out(static_cast<size_t>(layout.n * layout.k));
  dequantizeMatrix(slab.data(), layout, out.data());
  return out;
}

// Magnitudes above the denormals, of which four are no fixed points (grid.cpp,
// N6FixedPointOfEveryAmax).
RC_GTEST_PROP(GridProperty, N6QuantizingTwiceIsQuantizingOnce, ()) {
  Sample sample = arbitraryWeight(
      kindsWhere([](const SchemeRow &row) { return row.isFixedPoint; }), -110);
  auto slab = quantize(sample);
  Sample again{sample.layout, dequantize(sample.layout, slab)};
  RC_ASSERT(quantize(again) == slab);
}

RC_GTEST_PROP(GridProperty, ErrorIsHalfAStep, ()) {
  Sample sample = arbitraryWeight(kindsWhere(
      [](const SchemeRow &row) { return row.codeType == CodeType::kInteger; }));
  auto slab = quantize(sample);
  auto values = dequantize(sample.layout, slab);
  int64_t k = sample.layout.k;
  int64_t length = sample.layout.scheme.groupLength(k);
  double most = sample.layout.scheme.row().largest;
  for (size_t i = 0; i < values.size(); ++i) {
    double scale =
        loadScale(sample.layout, slab.data(), static_cast<int64_t>(i) / length);
    double x = floatFromBf16(sample.weight[i]);
    double value = floatFromBf16(values[i]);
    // Inside the range the error is half a step, plus half a bf16 ulp of the
    // value (N5's rounding).
    if (std::fabs(x) <= most * scale)
      RC_ASSERT(std::fabs(x - value) <= scale / 2 + std::fabs(value) * 0x1p-8);
    else if (scale != 0)
      RC_ASSERT(std::fabs(value) == static_cast<double>(roundToBf16(
                                        static_cast<float>(most * scale))));
  }
}

RC_GTEST_PROP(GridProperty, TrainedOnIsRolledOut, ()) {
  Sample sample = arbitraryWeight(allKinds());
  std::vector<uint16_t> fake(sample.weight.size());
  RC_ASSERT(fakeQuantizeMatrix(sample.weight.data(), sample.layout.n,
                               sample.layout.k, sample.layout.scheme,
                               fake.data()) == std::nullopt);
  RC_ASSERT(fake == dequantize(sample.layout, quantize(sample)));
}

RC_GTEST_PROP(GridProperty, LayoutDoesNotChangeTheWeight, ()) {
  Sample sample = arbitraryWeight(allKinds());
  Sample other = sample;
  other.layout.layout = sample.layout.layout == Layout::kHost
                            ? Layout::kInterchange
                            : Layout::kHost;
  auto slab = quantize(sample);
  auto otherSlab = quantize(other);
  std::vector<uint8_t> moved(otherSlab.size());
  repack(sample.layout, slab.data(), other.layout.layout, moved.data());
  RC_ASSERT(moved == otherSlab);
  RC_ASSERT(dequantize(sample.layout, slab) ==
            dequantize(other.layout, otherSlab));
}

RC_GTEST_PROP(GridProperty, RowsCanBeShared, ()) {
  Sample sample = arbitraryWeight(
      kindsWhere([](const SchemeRow &row) { return !row.inBlocks; }));
  auto whole = quantize(sample);
  std::vector<uint8_t> parts(whole.size());
  int64_t cut = *rc::gen::inRange<int64_t>(0, sample.layout.n + 1);
  RC_ASSERT(!quantizeRows(sample.weight.data(), sample.layout, cut,
                          sample.layout.n, parts.data()));
  RC_ASSERT(
      !quantizeRows(sample.weight.data(), sample.layout, 0, cut, parts.data()));
  RC_ASSERT(parts == whole);
}

// The purpose of the convention: training and rollout differ there, and do not
// differ here.
TEST(GridProperty, SlimeMismatchIsReproducedAndOursIsZero) {
  std::mt19937 random(7);
  std::normal_distribution<float> gaussian(0.0f, 0.02f);
  const int64_t n = 256;
  const int64_t k = 1024;
  std::vector<uint16_t> weight(n * k), trained(n * k);
  for (uint16_t &x : weight)
    x = bf16FromFloat(gaussian(random));
  for (int64_t group : {32, 128})
    for (Convention convention : {Convention::kNibble, Convention::kSlime}) {
      PackedLayout layout{
          n, k, {Kind::kInt4, group, convention}, Layout::kHost};
      std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
      ASSERT_EQ(quantizeMatrix(weight.data(), layout, slab.data()),
                std::nullopt);
      ASSERT_EQ(fakeQuantizeMatrix(weight.data(), n, k, layout.scheme,
                                   trained.data()),
                std::nullopt);
      auto rolled = dequantize(layout, slab);
      int differing = 0;
      for (size_t i = 0; i < rolled.size(); ++i)
        differing += rolled[i] != trained[i];
      double percent = 100.0 * differing / static_cast<double>(rolled.size());
      std::printf(
          "%s: %.2f %% of weights differ between training and rollout\n",
          toString(layout.scheme).c_str(), percent);
      if (convention == Convention::kNibble)
        EXPECT_EQ(differing, 0);
      else
        EXPECT_TRUE(percent > 1.0) << percent;
    }
}

} // namespace
