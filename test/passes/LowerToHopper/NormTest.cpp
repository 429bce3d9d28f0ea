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

} // namespace
