// Compares the kernels of the qat dialect with lib/Numerics, byte for byte.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nibble::test {
namespace {

using numerics::Layout;
using numerics::PackedLayout;

class HopperQuantize : public testing::TestWithParam<QuantizeCase> {
protected:
  const QuantizeCase c = GetParam();
};

TEST_P(HopperQuantize, quantizesAsNumerics) {
  Random random(1);
  Tensor plain = c.weight(random);
  Tensor wide = makeTensor(DType::kF32, plain.shape(), valuesOf(plain));
  // A float32 master is rounded first (N1). This value is half a bf16 step
  // below the next number and rounds back down.
  for (int64_t i = 0; i < wide.elements(); ++i)
    if (wide.as<uint32_t>()[i] & 0x7F800000u)
      wide.as<uint32_t>()[i] += 0x7FFF;
  for (Layout order : {Layout::kHopper, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"}) {
      CompiledForDevice program(
          quantizeSource(c.tensor(element), c.packed(order)));
      OpCase op;
      op.name = fmt::format("quantize {} {}", element, c.packed(order));
      op.arguments.push_back(copyOf(element[0] == 'b' ? plain : wide));
      std::vector<Tensor> expected;
      expected.push_back(c.slabOf(plain, order));
      checkExactlyOnDevice(program, op, expected);
    }
}

TEST_P(HopperQuantize, dequantizesAsNumerics) {
  Random random(2);
  Tensor plain = c.weight(random);
  Tensor expected = copyOf(plain);
  for (Layout order : {Layout::kHopper, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"}) {
      CompiledForDevice program(
          dequantizeSource(c.packed(order), c.tensor(element)));
      Tensor slab = c.slabOf(plain, order);
      numerics::dequantizeMatrix(slab.as<uint8_t>(), c.layout(order),
                                 expected.as<uint16_t>());
      OpCase op;
      op.name = fmt::format("dequantize {} {}", element, c.packed(order));
      op.arguments.push_back(copyOf(slab));
      std::vector<Tensor> results;
      results.push_back(
          element[0] == 'b'
              ? copyOf(expected)
              : makeTensor(DType::kF32, expected.shape(), valuesOf(expected)));
      checkExactlyOnDevice(program, op, results);
    }
}

TEST_P(HopperQuantize, fakeQuantIsNumerics) {
  Random random(3);
  Tensor plain = c.weight(random);
  Tensor expected = copyOf(plain);
  ASSERT_FALSE(numerics::fakeQuantizeMatrix(plain.as<uint16_t>(), c.n, c.k,
                                            c.layout(Layout::kHopper).scheme,
                                            expected.as<uint16_t>()));
  for (const char *element : {"bf16", "f32"}) {
    CompiledForDevice program(fakeQuantSource(c.tensor(element), c.scheme));
    Tensor wide = makeTensor(DType::kF32, plain.shape(), valuesOf(plain));
    Tensor result = std::move(
        program.call("f", {element[0] == 'b' ? &plain : &wide}).front());
    EXPECT_EQ(valuesOf(result), valuesOf(expected)) << element;
  }
}

TEST_P(HopperQuantize, repackIsNumerics) {
  Random random(4);
  Tensor plain = c.weight(random);
  for (Layout order : {Layout::kHopper, Layout::kInterchange}) {
    Layout other =
        order == Layout::kHopper ? Layout::kInterchange : Layout::kHopper;
    CompiledForDevice program(
        fmt::format("func.func @f(%p: {0}) -> {1} {{\n  %q = qat.repack %p : "
                    "{0} -> {1}\n  return %q : {1}\n}}",
                    c.packed(order), c.packed(other)));
    Tensor slab = c.slabOf(plain, order);
    Tensor result = std::move(program.call("f", {&slab}).front());
    EXPECT_EQ(differentBytes(result, c.slabOf(plain, other)), 0)
        << c.packed(order);
  }
}

// N4 for each pair of mantissas, with the element up to sixteen binades below
// the largest. This covers every half-way point.
TEST(HopperQuotientTest, codesAreThoseOfTheDivision) {
  Tensor plain = quotientWeight();
  int64_t rows = plain.shape()[0];
  for (const char *scheme :
       {"<int4, group_size = 32>",
        "<int4, group_size = 32, convention = compressed_tensors>",
        "<int4, group_size = 32, convention = slime>",
        "<int8, group_size = 32>", "<mxfp4, group_size = 32>"}) {
    PackedLayout layout{rows, 32, *numerics::parseScheme(scheme),
                        Layout::kHopper};
    Tensor expected = *Tensor::create(DType::kU8, {layout.bytes()});
    ASSERT_FALSE(numerics::quantizeMatrix(plain.as<uint16_t>(), layout,
                                          expected.as<uint8_t>())
                     .has_value());
    CompiledForDevice program(quantizeSource(
        fmt::format("tensor<{}x32xbf16>", rows), numerics::toString(layout)));
    Tensor slab = std::move(program.call("f", {&plain}).front());
    ASSERT_EQ(slab.bytes(), expected.bytes());
    EXPECT_TRUE(
        std::equal(slab.data(), slab.data() + slab.bytes(), expected.data()))
        << scheme;
  }
  std::cout << plain.elements() << " quotients compared for each scheme\n";
}

// N3 for each positive bf16 as a group's largest magnitude.
TEST(HopperScaleTest, isThatOfTheDivision) {
  constexpr int64_t kRows = 0x7F80; // 0 to the largest finite number
  for (const char *scheme :
       {"<int4, group_size = 16>",
        "<int4, group_size = 16, convention = compressed_tensors>",
        "<int4, group_size = 16, convention = slime>",
        "<int8, group_size = 16>", "<mxfp4, group_size = 32>"}) {
    int64_t group = numerics::parseScheme(scheme)->groupSize;
    QuantizeCase c{kRows, group, scheme};
    Tensor plain = *Tensor::create(DType::kBF16, {kRows, group});
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t i = 0; i < group; ++i)
        plain.as<uint16_t>()[row * group + i] =
            static_cast<uint16_t>(i == row % group ? row | (row & 1) << 15 : 0);
    CompiledForDevice program(
        quantizeSource(c.tensor("bf16"), c.packed(Layout::kHopper)));
    OpCase op;
    op.name = fmt::format("scales of {}", scheme);
    op.arguments.push_back(copyOf(plain));
    std::vector<Tensor> expected;
    expected.push_back(c.slabOf(plain, Layout::kHopper));
    checkExactlyOnDevice(program, op, expected);
  }
}

// N5 for each code with each bf16 as its scale: zero, subnormal, negative,
// infinite, NaN.
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
      numerics::storeScale(layout, slab.as<uint8_t>(), row,
                           static_cast<uint32_t>(row));
    Tensor expected = *Tensor::create(DType::kBF16, {layout.n, layout.k});
    numerics::dequantizeMatrix(slab.as<uint8_t>(), layout,
                               expected.as<uint16_t>());
    CompiledForDevice program(
        dequantizeSource(numerics::toString(layout), "tensor<65536x16xbf16>"));
    Tensor result = std::move(program.call("f", {&slab}).front());
    int64_t different = 0;
    for (int64_t i = 0; i < expected.elements(); ++i) {
      uint16_t is = result.as<uint16_t>()[i];
      uint16_t should = expected.as<uint16_t>()[i];
      bool bothNaN = std::isnan(numerics::floatFromBf16(is)) &&
                     std::isnan(numerics::floatFromBf16(should));
      // The machine may choose the NaN.
      different += is != should && !bothNaN;
    }
    EXPECT_EQ(different, 0) << numerics::toString(layout);
  }
}

TEST(HopperDequantizeTest, isExactForEveryCodeAndScaleOfMxfp4) {
  for (Layout order : {Layout::kHopper, Layout::kInterchange}) {
    EveryMxfp4 all = everyMxfp4(order);
    CompiledForDevice program(dequantizeSource(numerics::toString(all.layout),
                                               "tensor<256x32xbf16>"));
    Tensor result = std::move(program.call("f", {&all.slab}).front());
    EXPECT_EQ(differentNumbers(result, all.values), 0)
        << numerics::toString(all.layout);
  }
  std::cout << "16 codes x 256 exponents compared\n";
}

TEST(HopperQuantizeLayout, TheHostsBecomesHopper) {
  EXPECT_EQ(
      whyNotForDevice("func.func @f(%w: tensor<64x128xbf16>) -> "
                      "!qat.packed<64x128, <int4, group_size = 32>, host> {\n"
                      "  %p = qat.quantize %w : tensor<64x128xbf16> -> "
                      "!qat.packed<64x128, <int4, group_size = 32>, host>\n"
                      "  return %p : !qat.packed<64x128, <int4, group_size = "
                      "32>, host>\n}"),
      "");
}

INSTANTIATE_TEST_SUITE_P(
    Schemes, HopperQuantize,
    testing::Values(
        QuantizeCase{33, 256, "<int4, group_size = 32>"},
        QuantizeCase{33, 144, "<int4, group_size = 16>"},
        QuantizeCase{33, 192, "<int4, group_size = 64>"},
        QuantizeCase{20, 384, "<int4, group_size = 128>"},
        QuantizeCase{12, 832, "<int4, group_size = 32>"},
        QuantizeCase{33, 200, "<int4, group_size = 0>"},
        QuantizeCase{9, 13, "<int4, group_size = 0>"},
        QuantizeCase{70, 2056, "<int4, group_size = 0, convention = slime>"},
        QuantizeCase{128, 256, "<int4, group_size = 128>"},
        QuantizeCase{33, 96, "<int4, group_size = 32, convention = slime>"},
        QuantizeCase{
            33, 96, "<int4, group_size = 32, convention = compressed_tensors>"},
        QuantizeCase{33, 160, "<int8, group_size = 32>"},
        QuantizeCase{33, 77, "<int8, group_size = 0>"},
        QuantizeCase{150, 200, "<fp8, group_size = 128>"},
        QuantizeCase{5, 37, "<fp8, group_size = 128>"},
        QuantizeCase{33, 256, "<mxfp4, group_size = 32>"},
        QuantizeCase{128, 256, "<mxfp4, group_size = 32>"},
        QuantizeCase{12, 832, "<mxfp4, group_size = 32>"}));

} // namespace
} // namespace nibble::test
