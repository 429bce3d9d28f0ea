// The kernels of the qat dialect against lib/Numerics, byte for byte.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nibble::test {
namespace {

using numerics::Layout;
using numerics::PackedLayout;

struct Case {
  int64_t n, k;
  std::string scheme; // "<int4, group_size = 32>"
};
void PrintTo(const Case &c, std::ostream *out) { *out << c.n << "x" << c.k << " " << c.scheme; }

class HopperQuantize : public testing::TestWithParam<Case> {
protected:
  PackedLayout layout(Layout order) const {
    return {GetParam().n, GetParam().k, *numerics::parseScheme(GetParam().scheme), order};
  }
  std::string packed(Layout order) const { return numerics::toString(layout(order)); }
  std::string tensor(const char *element) const {
    return fmt::format("tensor<{}x{}x{}>", GetParam().n, GetParam().k, element);
  }

  // Magnitudes over many binades, exact half-way points of the grid, whole groups of zeros, subnormals. Every third row
  // has none of these: its scales are all ordinary.
  Tensor weight(Random &random) const {
    Tensor plain = random.normal(DType::kBF16, {GetParam().n, GetParam().k});
    auto *bits = plain.as<uint16_t>();
    for (int64_t i = 0; i < plain.elements(); ++i) {
      if (i / GetParam().k % 3 == 0)
        continue;
      int64_t group = i / 16;
      float value = numerics::floatFromBf16(bits[i]);
      if (group % 7 == 1)
        value = 0.0f;
      else if (group % 7 == 2)
        value = std::ldexp(static_cast<float>(random.below(15) - 7) / 2, random.below(3) - 20);
      else if (group % 7 == 3)
        value = std::ldexp(value, -130);
      else if (group % 7 == 4)
        value = std::ldexp(value, random.below(240) - 120);
      bits[i] = numerics::bf16FromFloat(value);
    }
    return plain;
  }

  Tensor slabOf(const Tensor &plain, Layout order) const {
    Tensor slab = *Tensor::create(DType::kU8, {layout(order).bytes()});
    EXPECT_FALSE(numerics::quantizeMatrix(plain.as<uint16_t>(), layout(order), slab.as<uint8_t>()).has_value());
    return slab;
  }

  static int64_t differentBytes(const Tensor &a, const Tensor &b) {
    EXPECT_EQ(a.bytes(), b.bytes());
    int64_t count = 0;
    for (int64_t i = 0; i < a.bytes(); ++i)
      count += a.data()[i] != b.data()[i];
    return count;
  }
};

TEST_P(HopperQuantize, quantizesAsNumerics) {
  Random random(1);
  Tensor plain = weight(random);
  Tensor wide = makeTensor(DType::kF32, plain.shape(), valuesOf(plain));
  // A float32 master is rounded first (N1): half a step of bf16 less than the next number, which rounds back down.
  for (int64_t i = 0; i < wide.elements(); ++i)
    if (wide.as<uint32_t>()[i] & 0x7F800000u)
      wide.as<uint32_t>()[i] += 0x7FFF;
  for (Layout order : {Layout::kHopper, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"}) {
      CompiledForDevice program(
          fmt::format("func.func @f(%w: {0}) -> {1} {{\n  %p = qat.quantize %w : {0} -> {1}\n  return %p : {1}\n}}",
                      tensor(element), packed(order)));
      Tensor slab = std::move(program.call("f", {element[0] == 'b' ? &plain : &wide}).front());
      EXPECT_EQ(differentBytes(slab, slabOf(plain, order)), 0) << element << " " << packed(order);
    }
}

TEST_P(HopperQuantize, dequantizesAsNumerics) {
  Random random(2);
  Tensor plain = weight(random), expected = copyOf(plain);
  for (Layout order : {Layout::kHopper, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"}) {
      CompiledForDevice program(
          fmt::format("func.func @f(%p: {1}) -> {0} {{\n  %w = qat.dequantize %p : {1} -> {0}\n  return %w : {0}\n}}",
                      tensor(element), packed(order)));
      Tensor slab = slabOf(plain, order);
      numerics::dequantizeMatrix(slab.as<uint8_t>(), layout(order), expected.as<uint16_t>());
      Tensor result = std::move(program.call("f", {&slab}).front());
      EXPECT_EQ(valuesOf(result), valuesOf(expected)) << element << " " << packed(order);
    }
}

TEST_P(HopperQuantize, fakeQuantIsNumerics) {
  Random random(3);
  Tensor plain = weight(random), expected = copyOf(plain);
  ASSERT_FALSE(numerics::fakeQuantizeMatrix(plain.as<uint16_t>(), GetParam().n, GetParam().k,
                                            layout(Layout::kHopper).scheme, expected.as<uint16_t>()));
  for (const char *element : {"bf16", "f32"}) {
    CompiledForDevice program(fmt::format("func.func @f(%w: {0}) -> {0} {{\n  %q = qat.fake_quant %w {{scheme = "
                                          "#qat.scheme{1}}} : {0}\n  return %q : {0}\n}}",
                                          tensor(element), GetParam().scheme));
    Tensor wide = makeTensor(DType::kF32, plain.shape(), valuesOf(plain));
    Tensor result = std::move(program.call("f", {element[0] == 'b' ? &plain : &wide}).front());
    EXPECT_EQ(valuesOf(result), valuesOf(expected)) << element;
  }
}

TEST_P(HopperQuantize, repackIsNumerics) {
  Random random(4);
  Tensor plain = weight(random);
  for (Layout order : {Layout::kHopper, Layout::kInterchange}) {
    Layout other = order == Layout::kHopper ? Layout::kInterchange : Layout::kHopper;
    CompiledForDevice program(
        fmt::format("func.func @f(%p: {0}) -> {1} {{\n  %q = qat.repack %p : {0} -> {1}\n  return %q : {1}\n}}",
                    packed(order), packed(other)));
    Tensor slab = slabOf(plain, order);
    Tensor result = std::move(program.call("f", {&slab}).front());
    EXPECT_EQ(differentBytes(result, slabOf(plain, other)), 0) << packed(order);
  }
}

// N4 for each pair of mantissas, the element up to sixteen binades below the largest: every half-way point there is.
TEST(HopperQuotientTest, codesAreThoseOfTheDivision) {
  std::vector<uint16_t> values;
  for (int largest = 0x4280; largest < 0x4300; ++largest) {
    int x = largest;
    while (x > largest - 16 * 128) {
      values.push_back(static_cast<uint16_t>(largest));
      for (int i = 1; i < 32; ++i, --x)
        values.push_back(static_cast<uint16_t>(x | (x + i) % 2 << 15));
    }
  }
  int64_t rows = static_cast<int64_t>(values.size()) / 32;
  Tensor plain = *Tensor::create(DType::kBF16, {rows, 32});
  std::copy(values.begin(), values.end(), plain.as<uint16_t>());
  for (const char *scheme : {"<int4, group_size = 32>", "<int4, group_size = 32, convention = compressed_tensors>",
                             "<int4, group_size = 32, convention = slime>", "<int8, group_size = 32>"}) {
    PackedLayout layout{rows, 32, *numerics::parseScheme(scheme), Layout::kHopper};
    Tensor expected = *Tensor::create(DType::kU8, {layout.bytes()});
    ASSERT_FALSE(numerics::quantizeMatrix(plain.as<uint16_t>(), layout, expected.as<uint8_t>()).has_value());
    CompiledForDevice program(fmt::format("func.func @f(%w: tensor<{0}x32xbf16>) -> {1} {{\n"
                                          "  %p = qat.quantize %w : tensor<{0}x32xbf16> -> {1}\n  return %p : {1}\n}}",
                                          rows, numerics::toString(layout)));
    Tensor slab = std::move(program.call("f", {&plain}).front());
    ASSERT_EQ(slab.bytes(), expected.bytes());
    EXPECT_TRUE(std::equal(slab.data(), slab.data() + slab.bytes(), expected.data())) << scheme;
  }
  std::cout << values.size() << " quotients compared for each scheme\n";
}

// N5 for each code and each bf16 there is as a scale: zero, subnormal, negative, infinite, NaN.
TEST(HopperDequantizeTest, isExactForEveryScale) {
  for (Layout order : {Layout::kHopper, Layout::kInterchange}) {
    const PackedLayout layout{65536, 16, {numerics::Kind::kInt4, 16}, order};
    Tensor slab = *Tensor::create(DType::kU8, {layout.bytes()});
    std::fill_n(slab.data(), slab.bytes(), std::byte{0});
    std::vector<int8_t> codes(static_cast<size_t>(layout.n * layout.k));
    for (size_t i = 0; i < codes.size(); ++i)
      codes[i] = static_cast<int8_t>(i % 16) - 8;
    numerics::packCodes(layout, 0, layout.n, codes.data(), slab.as<uint8_t>());
    for (int64_t row = 0; row < layout.n; ++row)
      numerics::storeScale(layout, slab.as<uint8_t>(), row, static_cast<uint32_t>(row));
    Tensor expected = *Tensor::create(DType::kBF16, {layout.n, layout.k});
    numerics::dequantizeMatrix(slab.as<uint8_t>(), layout, expected.as<uint16_t>());
    CompiledForDevice program(fmt::format("func.func @f(%p: {0}) -> tensor<65536x16xbf16> {{\n"
                                          "  %w = qat.dequantize %p : {0} -> tensor<65536x16xbf16>\n"
                                          "  return %w : tensor<65536x16xbf16>\n}}",
                                          numerics::toString(layout)));
    Tensor result = std::move(program.call("f", {&slab}).front());
    int64_t different = 0;
    for (int64_t i = 0; i < expected.elements(); ++i) {
      uint16_t is = result.as<uint16_t>()[i], should = expected.as<uint16_t>()[i];
      bool bothNaN = std::isnan(numerics::floatFromBf16(is)) && std::isnan(numerics::floatFromBf16(should));
      different += is != should && !bothNaN; // which NaN is the machine's choice
    }
    EXPECT_EQ(different, 0) << numerics::toString(layout);
  }
}

TEST(HopperQuantizeLayout, TheHostsBecomesHopper) {
  EXPECT_EQ(whyNotForDevice(
                "func.func @f(%w: tensor<64x128xbf16>) -> !qat.packed<64x128, <int4, group_size = 32>, host> {\n"
                "  %p = qat.quantize %w : tensor<64x128xbf16> -> !qat.packed<64x128, <int4, group_size = 32>, host>\n"
                "  return %p : !qat.packed<64x128, <int4, group_size = 32>, host>\n}"),
            "");
}

INSTANTIATE_TEST_SUITE_P(
    Schemes, HopperQuantize,
    testing::Values(Case{33, 256, "<int4, group_size = 32>"}, Case{33, 144, "<int4, group_size = 16>"},
                    Case{33, 192, "<int4, group_size = 64>"}, Case{20, 384, "<int4, group_size = 128>"},
                    Case{12, 832, "<int4, group_size = 32>"}, Case{33, 200, "<int4, group_size = 0>"},
                    Case{9, 13, "<int4, group_size = 0>"}, Case{70, 2056, "<int4, group_size = 0, convention = slime>"},
                    Case{128, 256, "<int4, group_size = 128>"},
                    Case{33, 96, "<int4, group_size = 32, convention = slime>"},
                    Case{33, 96, "<int4, group_size = 32, convention = compressed_tensors>"},
                    Case{33, 160, "<int8, group_size = 32>"}, Case{33, 77, "<int8, group_size = 0>"},
                    Case{150, 200, "<fp8, group_size = 128>"}, Case{5, 37, "<fp8, group_size = 128>"}));

} // namespace
} // namespace nibble::test
