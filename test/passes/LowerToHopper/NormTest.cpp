#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Extents {
  int features, block;
};
// Whole rows and heads; widths of 8, 4, 2 and 1.
constexpr Extents kExtents[] = {{1024, 1024}, {256, 128}, {256, 64}, {96, 48}, {60, 20}, {33, 33}, {8, 8}};

TEST(HopperNorm, MeansWhatTheReferenceSays) {
  Random random(1);
  for (auto [features, block] : kExtents) {
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

OpCase gradient(Extents extents, int tokens, Random &random) {
  OpCase c;
  c.name = fmt::format("rms_norm_grad {}/{} of {} tokens", extents.features, extents.block, tokens);
  c.source = fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %x: tensor<?x{0}xE>, %w: tensor<{1}xE>, %init: tensor<{1}xf32> {{nn.state = "gradient:w"}})
    -> (tensor<?x{0}xE>, tensor<{1}xf32>) {{
  %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %init {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xE>, tensor<{1}xE>, tensor<{1}xf32>
  return %dx, %dw : tensor<?x{0}xE>, tensor<{1}xf32>
}})mlir",
                         extents.features, extents.block);
  c.dtype = DType::kBF16;
  c.arguments.push_back(random.normal(DType::kBF16, {tokens, extents.features}));
  c.arguments.push_back(random.normal(DType::kBF16, {tokens, extents.features}, 3.0));
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

// A token's dx is its own; no token leaves the weight's gradient as it was.
TEST(HopperNorm, GradientOfARowIsItsOwn) {
  Random random(3);
  for (Extents extents : {Extents{256, 64}, Extents{33, 33}}) {
    OpCase c = gradient(extents, 17, random);
    CompiledForDevice program(withElement(c.source, c.dtype));
    std::vector<Tensor> whole = runOnDevice(program, c);
    for (auto [first, last] : {std::pair<int, int>{0, 1}, {6, 17}, {3, 3}}) {
      Tensor dy = rowsOf(c.arguments[0], first, last), x = rowsOf(c.arguments[1], first, last),
             sum = copyOf(c.arguments[3]);
      auto part = program.call("f", {&dy, &x, &c.arguments[2], &sum});
      EXPECT_EQ(difference(part[0], rowsOf(whole[0], first, last)), "the same") << c.name;
      EXPECT_EQ(sameBits(sum, c.arguments[3]), first == last) << c.name;
    }
  }
}

} // namespace
