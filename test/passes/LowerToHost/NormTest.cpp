// Norms and their gradients on the host.
#include "test/passes/LowerToHost/OpCheck.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Extents {
  int features, block;
};
// Whole rows and heads, with and without a remainder in the last step of lanes.
constexpr Extents kExtents[] = {{1024, 1024}, {256, 64}, {96, 48},
                                {60, 20},     {33, 33},  {8, 8}};

TEST(Norm, MeansWhatTheReferenceSays) {
  Random random(1);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (auto [features, block] : kExtents) {
      OpCase c;
      c.name = fmt::format("rms_norm {} {}/{}", nameOf(dtype), features, block);
      c.source = fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %w: tensor<{1}xE>) -> tensor<?x{0}xE> {{
  %y = nn.rms_norm %x, %w {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xE>, tensor<{1}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                             features, block);
      c.dtype = dtype;
      c.arguments.push_back(random.normal(dtype, {11, features}, 3.0));
      c.arguments.push_back(random.normal(dtype, {block}, 0.2, 1.0));
      c.perToken = {0};
      checkOp(c);
    }
}

OpCase gradient(DType dtype, Extents extents, int tokens, Random &random) {
  OpCase c;
  c.name = fmt::format("rms_norm_grad {} {}/{}", nameOf(dtype),
                       extents.features, extents.block);
  c.source = fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %x: tensor<?x{0}xE>, %w: tensor<{1}xE>, %init: tensor<{1}xf32> {{nn.state = "gradient:w"}})
    -> (tensor<?x{0}xE>, tensor<{1}xf32>) {{
  %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %init {{epsilon = 1.0e-5 : f32}} : tensor<?x{0}xE>, tensor<{1}xE>, tensor<{1}xf32>
  return %dx, %dw : tensor<?x{0}xE>, tensor<{1}xf32>
}})mlir",
                         extents.features, extents.block);
  c.dtype = dtype;
  c.arguments.push_back(random.normal(dtype, {tokens, extents.features}));
  c.arguments.push_back(random.normal(dtype, {tokens, extents.features}, 3.0));
  c.arguments.push_back(random.normal(dtype, {extents.block}, 0.2, 1.0));
  c.arguments.push_back(random.normal(DType::kF32, {extents.block}));
  c.inPlace = {{3, 1}};
  return c;
}

TEST(Norm, GradientMeansWhatTheReferenceSays) {
  Random random(2);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (Extents extents : kExtents)
      checkOp(gradient(dtype, extents, 13, random));
}

// The weight's gradient is one ordered sum. Splitting the tokens into two calls
// that accumulate changes no bit. A row of dx depends on that row only.
TEST(Norm, CuttingTheTokensChangesNothing) {
  Random random(3);
  for (Extents extents : kExtents) {
    OpCase c = gradient(DType::kBF16, extents, 17, random);
    HostProgram program(withElement(c.source, c.dtype));
    std::vector<Tensor> whole = runOp(program, c);
    Tensor accumulator = copyOf(c.arguments[3]);
    for (auto [first, last] : {std::pair<int, int>{0, 6}, {6, 17}}) {
      Tensor dy = rowsOf(c.arguments[0], first, last);
      Tensor x = rowsOf(c.arguments[1], first, last);
      auto part = program.call("f", {&dy, &x, &c.arguments[2], &accumulator});
      EXPECT_EQ(difference(part[0], rowsOf(whole[0], first, last)), "the same")
          << c.name;
    }
    EXPECT_EQ(difference(accumulator, whole[1]), "the same") << c.name;
    EXPECT_NE(difference(accumulator, c.arguments[3]), "the same") << c.name;
  }
}

} // namespace
