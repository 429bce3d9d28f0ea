// Compares the kernels of the qat dialect with lib/Numerics, byte for byte.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nibble::test {
namespace {

using numerics::Layout;
using numerics::PackedLayout;

class QuantizeTest : public testing::TestWithParam<QuantizeCase> {
protected:
  const QuantizeCase c = GetParam();
};

TEST_P(QuantizeTest, quantizesAsNumerics) {
  Random random(1);
  Tensor plain = c.weight(random);
  Tensor wide = makeTensor(DType::kF32, plain.shape(), valuesOf(plain));
  // A float32 master is rounded first (N1). This value is half a bf16 step
  // below the next number and rounds back down.
  for (int64_t i = 0; i < wide.elements(); ++i)
    if (wide.as<uint32_t>()[i] & 0x7F800000u)
      wide.as<uint32_t>()[i] += 0x7FFF;
  for (Layout order : {Layout::kHost, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"})
      for (const char *cpu : {"host", "haswell"}) {
        HostProgram program(quantizeSource(c.tensor(element), c.packed(order)),
                            cpu);
        Tensor expected = c.slabOf(plain, order);
        for (int threads : {1, 2}) {
          Tensor slab = std::move(
              program.call("f", {element[0] == 'b' ? &plain : &wide}, threads)
                  .front());
          EXPECT_EQ(differentBytes(slab, expected), 0)
              << element << " " << cpu << " " << c.packed(order);
        }
      }
}

TEST_P(QuantizeTest, dequantizesAsNumerics) {
  Random random(2);
  Tensor plain = c.weight(random);
  Tensor expected = copyOf(plain);
  for (Layout order : {Layout::kHost, Layout::kInterchange})
    for (const char *element : {"bf16", "f32"}) {
      HostProgram program(dequantizeSource(c.packed(order), c.tensor(element)));
      Tensor slab = c.slabOf(plain, order);
      numerics::dequantizeMatrix(slab.as<uint8_t>(), c.layout(order),
                                 expected.as<uint16_t>());
      Tensor result = std::move(program.call("f", {&slab}).front());
      EXPECT_EQ(valuesOf(result), valuesOf(expected))
          << element << " " << c.packed(order);
    }
}

TEST_P(QuantizeTest, fakeQuantIsNumerics) {
  Random random(3);
  Tensor plain = c.weight(random);
  Tensor expected = copyOf(plain);
  ASSERT_FALSE(numerics::fakeQuantizeMatrix(plain.as<uint16_t>(), c.n, c.k,
                                            c.layout(Layout::kHost).scheme,
                                            expected.as<uint16_t>()));
  for (const char *cpu : {"host", "haswell"}) {
    HostProgram program(fakeQuantSource(c.tensor("bf16"), c.scheme), cpu);
    Tensor result = std::move(program.call("f", {&plain}).front());
    EXPECT_TRUE(sameBits(result, expected)) << difference(result, expected);
  }
}

TEST_P(QuantizeTest, repackIsNumerics) {
  Random random(4);
  Tensor plain = c.weight(random);
  for (Layout order : {Layout::kHost, Layout::kInterchange}) {
    Layout other =
        order == Layout::kHost ? Layout::kInterchange : Layout::kHost;
    HostProgram program(
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
TEST(QuotientTest, codesAreThoseOfTheDivision) {
  Tensor plain = quotientWeight();
  int64_t rows = plain.shape()[0];
  for (const char *scheme :
       {"<int4, group_size = 32>",
        "<int4, group_size = 32, convention = compressed_tensors>",
        "<int4, group_size = 32, convention = slime>",
        "<int8, group_size = 32>", "<mxfp4, group_size = 32>"}) {
    PackedLayout layout{rows, 32, *numerics::parseScheme(scheme),
                        Layout::kHost};
    Tensor expected = *Tensor::create(DType::kU8, {layout.bytes()});
    ASSERT_FALSE(numerics::quantizeMatrix(plain.as<uint16_t>(), layout,
                                          expected.as<uint8_t>())
                     .has_value());
    HostProgram program(quantizeSource(fmt::format("tensor<{}x32xbf16>", rows),
                                       numerics::toString(layout)));
    Tensor slab = std::move(program.call("f", {&plain}).front());
    ASSERT_EQ(slab.bytes(), expected.bytes());
    EXPECT_TRUE(
        std::equal(slab.data(), slab.data() + slab.bytes(), expected.data()))
        << scheme;
  }
  std::cout << plain.elements() << " quotients compared for each scheme\n";
}

// N5 for each code with each bf16 as its scale: zero, subnormal, negative,
// infinite, NaN.
TEST(DequantizeTest, isExactForEveryScale) {
  const PackedLayout layout{
      65536, 16, {numerics::Kind::kInt4, 16}, Layout::kHost};
  Tensor slab = *Tensor::create(DType::kU8, {layout.bytes()});
  for (int64_t row = 0; row < layout.n; ++row) {
    for (int64_t lane = 0; lane < 16; ++lane)
      slab.as<uint32_t>()[row * 16 + lane] =
          0x88888880u + static_cast<uint32_t>(lane);
    reinterpret_cast<uint16_t *>(slab.data() + layout.codeBytes())[row] =
        static_cast<uint16_t>(row);
  }
  Tensor expected = *Tensor::create(DType::kBF16, {layout.n, layout.k});
  numerics::dequantizeMatrix(slab.as<uint8_t>(), layout,
                             expected.as<uint16_t>());
  std::string type = numerics::toString(layout);
  for (const char *cpu : {"host", "haswell"}) {
    HostProgram program(dequantizeSource(type, "tensor<65536x16xbf16>"), cpu);
    Tensor result = std::move(program.call("f", {&slab}).front());
    EXPECT_TRUE(sameBits(result, expected))
        << cpu << ": " << difference(result, expected);
  }
}

TEST(DequantizeTest, isExactForEveryCodeAndScaleOfMxfp4) {
  for (Layout order : {Layout::kHost, Layout::kInterchange})
    for (const char *cpu : {"host", "haswell"}) {
      EveryMxfp4 all = everyMxfp4(order);
      HostProgram program(dequantizeSource(numerics::toString(all.layout),
                                           "tensor<256x32xbf16>"),
                          cpu);
      Tensor result = std::move(program.call("f", {&all.slab}).front());
      EXPECT_EQ(differentNumbers(result, all.values), 0)
          << cpu << " " << numerics::toString(all.layout);
    }
  std::cout << "16 codes x 256 exponents compared\n";
}

INSTANTIATE_TEST_SUITE_P(
    Schemes, QuantizeTest,
    testing::Values(
        QuantizeCase{33, 256, "<int4, group_size = 32>"},
        QuantizeCase{33, 144, "<int4, group_size = 16>"},
        QuantizeCase{33, 192, "<int4, group_size = 64>"},
        QuantizeCase{20, 384, "<int4, group_size = 128>"},
        QuantizeCase{12, 832, "<int4, group_size = 32>"},
        QuantizeCase{33, 200, "<int4, group_size = 0>"},
        QuantizeCase{9, 13, "<int4, group_size = 0>"},
        QuantizeCase{33, 96, "<int4, group_size = 32, convention = slime>"},
        QuantizeCase{
            33, 96, "<int4, group_size = 32, convention = compressed_tensors>"},
        QuantizeCase{33, 160, "<int8, group_size = 32>"},
        QuantizeCase{33, 77, "<int8, group_size = 0>"},
        QuantizeCase{150, 200, "<fp8, group_size = 128>"},
        QuantizeCase{5, 37, "<fp8, group_size = 128>"},
        QuantizeCase{33, 256, "<mxfp4, group_size = 32>"},
        QuantizeCase{12, 832, "<mxfp4, group_size = 32>"}));

} // namespace
} // namespace nibble::test
