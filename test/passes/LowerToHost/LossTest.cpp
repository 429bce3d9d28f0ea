// Log-probabilities, their gradients, sums and AdamW on the host.
#include "test/passes/LowerToHost/OpCases.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr int kVocabularies[] = {151936, 32000, 100, 16, 5};

TEST(Loss, LogProbabilityMeansWhatTheReferenceSays) {
  Random random(1);
  for (int vocabulary : kVocabularies)
    checkOp(logProbabilityCase(vocabulary, 6, random));
}

// Excluded tokens have probability 0 and add nothing to the entropy.
TEST(Loss, LogitsOfMinusInfinityAreAbsent) {
  HostProgram program(logProbabilitySource(40));
  HostProgram small(logProbabilitySource(8));
  Random random(2);
  std::vector<double> few = valuesOf(random.normal(DType::kF32, {1, 8}));
  std::vector<double> many(40, -INFINITY);
  std::copy(few.begin(), few.end(), many.begin());
  Tensor x = makeTensor(DType::kF32, {1, 40}, many);
  Tensor y = makeTensor(DType::kF32, {1, 8}, few);
  Tensor target = makeIndices({1}, {3});
  Tensor temperature = makeTensor(DType::kF32, {1}, {0.9});
  auto all = program.call("f", {&x, &target, &temperature});
  auto rest = small.call("f", {&y, &target, &temperature});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(difference(all[i], rest[i]), "the same") << i;
}

TEST(Loss, LogProbabilityGradMeansWhatTheReferenceSays) {
  Random random(3);
  for (int vocabulary : kVocabularies)
    checkOp(logProbabilityGradCase(vocabulary, 6, random));
}

// Sums of sixteen lanes, reduced by 8, 4, 2, 1 (N13).
float sum16(const float *x, int64_t count, bool square) {
  float lanes[16] = {};
  for (int64_t i = 0; i < count; ++i)
    lanes[i % 16] =
        square ? std::fma(x[i], x[i], lanes[i % 16]) : lanes[i % 16] + x[i];
  for (int half = 8; half >= 1; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

TEST(Loss, SumsFollowTheTree) {
  HostProgram program(std::string(kSumSource) + R"mlir(
func.func @matrix(%x: tensor<7x100xf32>, %s: tensor<f32> {nn.state = "norm"}) -> tensor<f32> {
  %y = nn.square_sum %s, %x : tensor<f32>, tensor<7x100xf32>
  return %y : tensor<f32>
}
func.func @vector(%x: tensor<100xf32>, %s: tensor<f32> {nn.state = "norm"}) -> tensor<f32> {
  %y = nn.square_sum %s, %x : tensor<f32>, tensor<100xf32>
  return %y : tensor<f32>
})mlir");
  Random random(4);
  for (int count : {0, 1, 15, 16, 17, 1000}) {
    Tensor x = random.normal(DType::kF32, {count});
    auto sum = program.call("sum", {&x});
    EXPECT_EQ(sum[0].as<float>()[0], sum16(x.as<float>(), count, false))
        << count;
    auto back = program.call("broadcast", {&sum[0], &x});
    EXPECT_EQ(valuesOf(back[0]),
              std::vector<double>(count, sum[0].as<float>()[0]));
  }
  Tensor x = random.normal(DType::kF32, {7, 100});
  Tensor norm = makeTensor(DType::kF32, {}, {2.5});
  float expected = 2.5f;
  for (int row = 0; row < 7; ++row)
    expected += sum16(x.as<float>() + row * 100, 100, true);
  program.call("matrix", {&x, &norm});
  EXPECT_EQ(norm.as<float>()[0], expected);
  Tensor row = makeTensor(DType::kF32, {100}, valuesOf(rowsOf(x, 0, 1)));
  program.call("vector", {&row, &norm});
  EXPECT_EQ(norm.as<float>()[0], expected + sum16(x.as<float>(), 100, true));
}

// Every operation rounds once, so the bits equal the formula in plain float32.
TEST(Loss, AdamWIsTheFormula) {
  Random random(6);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (const Shape &shape : {Shape{5, 48}, Shape{3, 7}, Shape{33}}) {
      AdamWCase c = adamWCase(dtype, shape, random);
      HostProgram program(c.source);
      const std::vector<Tensor> &a = c.arguments;
      auto results = program.call("f", {&a[0], &a[1], &a[2], &a[3], &a[4]});
      for (int i = 0; i < 3; ++i)
        EXPECT_EQ(difference(a[i], c.expected[i]), "the same") << i;
      EXPECT_EQ(difference(results[0], c.expected[3]), "the same");
    }
}

} // namespace
