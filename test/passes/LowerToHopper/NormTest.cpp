// Norms and their gradients on the device.
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Extents {
  int features, block;
};
// Whole rows and heads, and vector widths of 8, 4, 2 and 1.
constexpr Extents kExtents[] = {{1024, 1024}, {256, 128}, {256, 64}, {96, 48},
                                {60, 20},     {33, 33},   {8, 8}};
// More weights than a lane holds at a time, and rows too long for registers.
constexpr Extents kLongExtents[] = {
    {2560, 2560}, {8192, 8192}, {8448, 8448}, {257, 257}};

TEST(HopperNorm, MeansWhatTheReferenceSays) {
  Random random(1);
  std::vector<Extents> all(std::begin(kExtents), std::end(kExtents));
  all.insert(all.end(), std::begin(kLongExtents), std::end(kLongExtents));
  for (auto [features, block] : all) {
    OpCase c;
    c.name = fmt::format("rms_norm {}/{}", features, block);
    c.source = fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %w: tensor<{1}xE>) -> tensor<?x{0}xE> {{
  %y = nn.rms_norm %x, %w {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xE>, tensor<{1}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                           features, block);
    c.dtype = DType::kBF16;
    c.arguments.push_back(random.normal(DType::kBF16, {11, features}, 3.0));
    c.arguments.push_back(random.normal(DType::kBF16, {block}, 0.2, 1.0));
    c.perToken = {0};
    checkOnDevice(c);
  }
}

float bf16(float x) {
  return numerics::floatFromBf16(numerics::bf16FromFloat(x));
}

// The order of docs/numerics.md, operation by operation. Rows in registers and
// longer rows use the same order.
TEST(HopperNorm, AddsInTheOrderOfLanes) {
  Random random(4);
  for (int size : {1024, 8192, 8448, 2560, 640, 192, 96, 33}) {
    CompiledForDevice program(fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xbf16>, %w: tensor<{0}xbf16>) -> tensor<?x{0}xbf16> {{
  %y = nn.rms_norm %x, %w {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xbf16>, tensor<{0}xbf16>
  return %y : tensor<?x{0}xbf16>
}})mlir",
                                          size));
    Tensor x = random.normal(DType::kBF16, {3, size}, 3.0);
    Tensor w = random.normal(DType::kBF16, {size}, 0.2, 1.0);
    Tensor expected = copyOf(x);
    auto values = valuesOf(x);
    auto weights = valuesOf(w);
    int width = size % 256 == 0   ? 8
                : size % 128 == 0 ? 4
                : size % 64 == 0  ? 2
                                  : 1;
    for (int t = 0; t < 3; ++t) {
      float lanes[32] = {};
      for (int i = 0; i < size; ++i) {
        float v = static_cast<float>(values[t * size + i]);
        lanes[i / width % 32] = std::fma(v, v, lanes[i / width % 32]);
      }
      for (int apart = 16; apart > 0; apart /= 2)
        for (int lane = 0; lane < apart; ++lane)
          lanes[lane] += lanes[lane + apart];
      float r = 1.0f / std::sqrt(lanes[0] / static_cast<float>(size) + 1.0e-5f);
      for (int i = 0; i < size; ++i)
        expected.as<uint16_t>()[t * size + i] = numerics::bf16FromFloat(
            static_cast<float>(weights[i]) *
            bf16(static_cast<float>(values[t * size + i]) * r));
    }
    EXPECT_EQ(difference(program.call("f", {&x, &w})[0], expected), "the same")
        << size;
  }
}

OpCase gradient(Extents extents, int tokens, Random &random) {
  OpCase c;
  c.name = fmt::format("rms_norm_grad {}/{} of {} tokens", extents.features,
                       extents.block, tokens);
  c.source = fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %x: tensor<?x{0}xE>, %w: tensor<{1}xE>, %init: tensor<{1}xf32> {{nn.state = "gradient:w"}})
    -> (tensor<?x{0}xE>, tensor<{1}xf32>) {{
  %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %init {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xE>, tensor<{1}xE>, tensor<{1}xf32>
  return %dx, %dw : tensor<?x{0}xE>, tensor<{1}xf32>
}})mlir",
                         extents.features, extents.block);
  c.dtype = DType::kBF16;
  c.arguments.push_back(
      random.normal(DType::kBF16, {tokens, extents.features}));
  c.arguments.push_back(
      random.normal(DType::kBF16, {tokens, extents.features}, 3.0));
  c.arguments.push_back(random.normal(DType::kBF16, {extents.block}, 0.2, 1.0));
  c.arguments.push_back(random.normal(DType::kF32, {extents.block}));
  c.inPlace = {{3, 1}};
  return c;
}

TEST(HopperNorm, GradientMeansWhatTheReferenceSays) {
  Random random(2);
  for (Extents extents : kExtents)
    checkOnDevice(gradient(extents, 13, random));
  checkOnDevice(gradient({16, 8}, 70, random)); // 140 rows: three chunks
  checkOnDevice(gradient({8, 8}, 1, random));
}

// dx of a token depends on that token only. A call without tokens leaves the
// weight's gradient unchanged.
TEST(HopperNorm, GradientOfARowIsItsOwn) {
  Random random(3);
  for (Extents extents : {Extents{256, 64}, Extents{33, 33}}) {
    OpCase c = gradient(extents, 17, random);
    CompiledForDevice program(withElement(c.source, c.dtype));
    std::vector<Tensor> whole = runOnDevice(program, c);
    for (auto [first, last] : {std::pair<int, int>{0, 1}, {6, 17}, {3, 3}}) {
      Tensor dy = rowsOf(c.arguments[0], first, last);
      Tensor x = rowsOf(c.arguments[1], first, last);
      Tensor sum = copyOf(c.arguments[3]);
      auto part = program.call("f", {&dy, &x, &c.arguments[2], &sum});
      EXPECT_EQ(difference(part[0], rowsOf(whole[0], first, last)), "the same")
          << c.name;
      EXPECT_EQ(sameBits(sum, c.arguments[3]), first == last) << c.name;
    }
  }
}

} // namespace
