// exp, log, sin and cos of the host over all floats.
#include "test/passes/LowerToHost/HostProgram.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// value - expected| in float32 units in the last place at `expected`.
double ulps(float value, double expected) {
  if (std::isinf(value) || std::fabs(expected) >= 0x1.ffffffp127)
    return std::isinf(value) && std::fabs(expected) >= 0x1.fffffep127
               ? 0
               : INFINITY;
  int exponent;
  std::frexp(expected, &exponent);
  return std::fabs(value - expected) /
         std::ldexp(1.0, std::max(exponent, -125) - 24);
}

constexpr const char *kElementary = R"mlir(
func.func @exp(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = math.exp %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @log(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = math.log %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @angles(%positions: tensor<?xi32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %c, %s = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.31622776, 0.0131, 0.00001>, attention_factor = 1.0 : f32}
      : tensor<?xi32> -> tensor<?x4xf32>
  return %c, %s : tensor<?x4xf32>, tensor<?x4xf32>
}
)mlir";

// Every `step`-th float32 as a tensor.
Tensor everyFloat(uint32_t step) {
  std::vector<double> unused;
  int64_t count = (uint64_t(1) << 32) / step;
  Tensor tensor = *Tensor::create(DType::kF32, {count});
  for (int64_t i = 0; i < count; ++i)
    tensor.as<uint32_t>()[i] = static_cast<uint32_t>(i) * step;
  return tensor;
}

TEST(Elementary, ExpIsWithinOneUlpOverAllFloats) {
  HostProgram program(kElementary);
  Tensor x = everyFloat(1009);
  Tensor y = std::move(program.call("exp", {&x})[0]);
  double worst = 0, relative = 0;
  for (int64_t i = 0; i < x.elements(); ++i) {
    float in = x.as<float>()[i];
    float out = y.as<float>()[i];
    if (std::isnan(in)) {
      EXPECT_TRUE(std::isnan(out)) << in;
      continue;
    }
    double expected = std::exp(static_cast<double>(in));
    worst = std::max(worst, ulps(out, expected));
    if (expected > 0x1p-126 && expected < 0x1p127)
      relative = std::max(relative, std::fabs(out / expected - 1));
  }
  std::printf("exp: %lld values, %.4f ulp, relative 2^%.2f\n",
              static_cast<long long>(x.elements()), worst, std::log2(relative));
  EXPECT_LT(worst, 1.0);
  EXPECT_LT(relative, 0x1p-22);
}

TEST(Elementary, ExpMeetsItsEnds) {
  HostProgram program(kElementary);
  Tensor x = makeTensor(DType::kF32, {7},
                        {-INFINITY, -104, -1e30, INFINITY, 88.73, 1e30, 0});
  Tensor y = std::move(program.call("exp", {&x})[0]);
  std::vector<double> expected = {0, 0, 0, INFINITY, INFINITY, INFINITY, 1};
  EXPECT_EQ(valuesOf(y), expected);
}

TEST(Elementary, LogIsWithinOneUlpOverAllFloats) {
  HostProgram program(kElementary);
  Tensor x = everyFloat(1013);
  Tensor y = std::move(program.call("log", {&x})[0]);
  double worst = 0;
  for (int64_t i = 0; i < x.elements(); ++i) {
    float in = x.as<float>()[i];
    float out = y.as<float>()[i];
    double expected = std::log(static_cast<double>(in));
    if (std::isnan(expected) || std::isinf(expected))
      EXPECT_TRUE(std::isnan(expected) ? std::isnan(out) : out == expected)
          << in;
    else
      worst = std::max(worst, ulps(out, expected));
  }
  std::printf("log: %lld values, %.4f ulp\n",
              static_cast<long long>(x.elements()), worst);
  EXPECT_LT(worst, 0.83);
}

TEST(Elementary, SineAndCosineAreRoundedOnce) {
  HostProgram program(kElementary);
  constexpr int kCount = 1 << 20;
  std::vector<int> positions(kCount);
  // Positions up to 2^24.
  for (int i = 0; i < kCount; ++i)
    positions[i] = i < kCount / 2 ? i : i * 15;
  Tensor p = makeIndices({kCount}, positions);
  auto tables = program.call("angles", {&p});
  const float frequencies[] = {1.0f, 0.31622776f, 0.0131f, 0.00001f};
  double worst = 0;
  for (int64_t i = 0; i < kCount * 4; ++i) {
    // The product is rounded to float32.
    double angle = static_cast<float>(positions[i / 4]) * frequencies[i % 4];
    worst = std::max({worst, ulps(tables[0].as<float>()[i], std::cos(angle)),
                      ulps(tables[1].as<float>()[i], std::sin(angle))});
  }
  std::printf("sine and cosine: %d angles, %.4f ulp\n", kCount * 4, worst);
  EXPECT_LT(worst, 0.501);
}

} // namespace
