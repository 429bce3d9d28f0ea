// Log-probabilities, their gradients and sums on the device.
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// Several parts with a ragged last one, one whole part, and rows that begin
// aligned to 16, 8 or 4 bytes.
constexpr int kVocabularies[] = {151936, 8192, 32002, 8193, 100, 5};

TEST(HopperLoss, LogProbabilityMeansWhatTheReferenceSays) {
  Random random(1);
  for (int vocabulary : kVocabularies)
    checkOnDevice(
        logProbabilityCase(vocabulary, vocabulary > 100000 ? 2 : 6, random));
}

// Excluded tokens have probability 0 and add nothing to the entropy, even when
// they fill whole parts of the row.
TEST(HopperLoss, LogitsOfMinusInfinityAreAbsent) {
  CompiledForDevice program(logProbabilitySource(20000));
  CompiledForDevice small(logProbabilitySource(8));
  Random random(2);
  std::vector<double> few = valuesOf(random.normal(DType::kF32, {1, 8}));
  std::vector<double> many(20000, -INFINITY);
  std::copy(few.begin(), few.end(), many.begin());
  Tensor x = makeTensor(DType::kF32, {1, 20000}, many);
  Tensor y = makeTensor(DType::kF32, {1, 8}, few);
  Tensor target = makeIndices({1}, {3});
  Tensor temperature = makeTensor(DType::kF32, {1}, {0.9});
  auto all = program.call("f", {&x, &target, &temperature});
  auto rest = small.call("f", {&y, &target, &temperature});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(difference(all[i], rest[i]), "the same") << i;
}

TEST(HopperLoss, LogProbabilityGradMeansWhatTheReferenceSays) {
  Random random(3);
  for (int vocabulary : kVocabularies)
    checkOnDevice(logProbabilityGradCase(vocabulary,
                                         vocabulary > 100000 ? 2 : 6, random));
}

// 1024 threads with a stride. A warp reduces by xor of 16, 8, 4, 2, 1, and the
// warps' sums are reduced the same way.
float tree(std::vector<float> values) {
  for (size_t half = values.size() / 2; half >= 1; half /= 2)
    for (size_t i = 0; i < half; ++i)
      values[i] += values[i + half];
  return values[0];
}

float stridedSum(const float *x, int64_t count) {
  std::vector<float> threads(1024, 0.0f);
  std::vector<float> warps;
  for (int64_t i = 0; i < count; ++i)
    threads[i % 1024] += x[i];
  for (int warp = 0; warp < 32; ++warp)
    warps.push_back(
        tree({threads.begin() + 32 * warp, threads.begin() + 32 * warp + 32}));
  return tree(warps);
}

TEST(HopperLoss, SumsFollowTheTree) {
  CompiledForDevice program(kSumSource);
  Random random(4);
  for (int count : {0, 1, 15, 33, 1000, 5003}) {
    Tensor x = random.normal(DType::kF32, {count});
    auto sum = program.call("sum", {&x});
    EXPECT_EQ(sum[0].as<float>()[0], stridedSum(x.as<float>(), count)) << count;
    auto back = program.call("broadcast", {&sum[0], &x});
    EXPECT_EQ(valuesOf(back[0]),
              std::vector<double>(count, sum[0].as<float>()[0]));
  }
}

TEST(HopperLoss, SquareSumIsAddedToInit) {
  Random random(5);
  for (const Shape &shape : {Shape{7, 100}, Shape{3}, Shape{33, 1001},
                             Shape{2, 3, 5}, Shape{40000}}) {
    std::string extents;
    for (int64_t extent : shape)
      extents += std::to_string(extent) + "x";
    OpCase c;
    c.name = "square_sum of " + extents;
    c.source = fmt::format(R"mlir(
func.func @f(%x: tensor<{0}f32>, %s: tensor<f32> {{nn.state = "norm"}}) -> tensor<f32> {{
  %y = nn.square_sum %s, %x : tensor<f32>, tensor<{0}f32>
  return %y : tensor<f32>
}})mlir",
                           extents);
    c.dtype = DType::kF32;
    c.arguments.push_back(random.normal(DType::kF32, shape));
    c.arguments.push_back(makeTensor(DType::kF32, {}, {2.5}));
    c.inPlace = {{1, 0}};
    checkOnDevice(c);
  }
}

} // namespace
