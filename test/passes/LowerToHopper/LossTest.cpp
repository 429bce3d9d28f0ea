#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// Several parts with a ragged last one, one whole part, rows whose begin is 16-, 8- or 4-byte aligned.
constexpr int kVocabularies[] = {151936, 8192, 32002, 8193, 100, 5};

std::string logProbability(int vocabulary) {
  return fmt::format(R"mlir(
func.func @f(%logits: tensor<?x{0}xf32>, %targets: tensor<?xi32>, %temperature: tensor<?xf32>)
    -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {{
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp, %lse, %entropy : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}})mlir",
                     vocabulary);
}

TEST(HopperLoss, LogProbabilityMeansWhatTheReferenceSays) {
  Random random(1);
  for (int vocabulary : kVocabularies) {
    int rows = vocabulary > 100000 ? 2 : 6;
    OpCase c;
    c.name = fmt::format("log_probability over {}", vocabulary);
    c.source = logProbability(vocabulary);
    c.dtype = DType::kF32;
    c.arguments.push_back(random.normal(DType::kF32, {rows, vocabulary}, 3.0));
    c.arguments.push_back(random.indices({rows}, vocabulary));
    std::vector<double> temperatures = {0.7, 5, 1.3, 0.1, 1, 1};
    temperatures.resize(rows);
    c.arguments.push_back(makeTensor(DType::kF32, {rows}, temperatures));
    c.perToken = {0, 1, 2};
    checkOnDevice(c);
  }
}

// Tokens that are ruled out have probability 0 and add nothing to the entropy, though they be whole parts of the row.
TEST(HopperLoss, LogitsOfMinusInfinityAreAbsent) {
  CompiledForDevice program(logProbability(20000)), small(logProbability(8));
  Random random(2);
  std::vector<double> few = valuesOf(random.normal(DType::kF32, {1, 8})), many(20000, -INFINITY);
  std::copy(few.begin(), few.end(), many.begin());
  Tensor x = makeTensor(DType::kF32, {1, 20000}, many), y = makeTensor(DType::kF32, {1, 8}, few);
  Tensor target = makeIndices({1}, {3}), temperature = makeTensor(DType::kF32, {1}, {0.9});
  auto all = program.call("f", {&x, &target, &temperature}), rest = small.call("f", {&y, &target, &temperature});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(difference(all[i], rest[i]), "the same") << i;
}

TEST(HopperLoss, LogProbabilityGradMeansWhatTheReferenceSays) {
  Random random(3);
  for (int vocabulary : kVocabularies) {
    int rows = vocabulary > 100000 ? 2 : 6;
    OpCase c;
    c.name = fmt::format("log_probability_grad over {}", vocabulary);
    c.source = fmt::format(R"mlir(
func.func @f(%dlogp: tensor<?xf32>, %dentropy: tensor<?xf32>, %logits: tensor<?x{0}xf32>, %targets: tensor<?xi32>,
    %temperature: tensor<?xf32>) -> tensor<?x{0}xf32> {{
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  %d = nn.log_probability_grad %dlogp, %dentropy, %logits, %targets, %temperature, %lse, %entropy
      : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  return %d : tensor<?x{0}xf32>
}})mlir",
                           vocabulary);
    c.dtype = DType::kF32;
    c.arguments.push_back(random.normal(DType::kF32, {rows}));
    c.arguments.push_back(random.normal(DType::kF32, {rows}, 0.1));
    c.arguments.push_back(random.normal(DType::kF32, {rows, vocabulary}, 3.0));
    c.arguments.push_back(random.indices({rows}, vocabulary));
    std::vector<double> temperatures = {0.7, 5, 1.3, 0.1, 1, 1};
    temperatures.resize(rows);
    c.arguments.push_back(makeTensor(DType::kF32, {rows}, temperatures));
    c.perToken = {0, 1, 2, 3, 4};
    c.bound = 2e-5; // exp(x - lse) carries the rounding of x - lse, up to 2^-19 at |x| = 30
    checkOnDevice(c);
  }
}

// 1024 threads, strided; warps by xor of 16, 8, 4, 2, 1, then the warps' sums likewise.
float tree(std::vector<float> values) {
  for (size_t half = values.size() / 2; half >= 1; half /= 2)
    for (size_t i = 0; i < half; ++i)
      values[i] += values[i + half];
  return values[0];
}

float stridedSum(const float *x, int64_t count) {
  std::vector<float> threads(1024, 0.0f), warps;
  for (int64_t i = 0; i < count; ++i)
    threads[i % 1024] += x[i];
  for (int warp = 0; warp < 32; ++warp)
    warps.push_back(tree({threads.begin() + 32 * warp, threads.begin() + 32 * warp + 32}));
  return tree(warps);
}

TEST(HopperLoss, SumsFollowTheTree) {
  CompiledForDevice program(R"mlir(
func.func @sum(%x: tensor<?xf32>) -> tensor<f32> {
  %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
  return %s : tensor<f32>
}
func.func @broadcast(%x: tensor<f32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
  return %y : tensor<?xf32>
})mlir");
  Random random(4);
  for (int count : {0, 1, 15, 33, 1000, 5003}) {
    Tensor x = random.normal(DType::kF32, {count});
    auto sum = program.call("sum", {&x});
    EXPECT_EQ(sum[0].as<float>()[0], stridedSum(x.as<float>(), count)) << count;
    auto back = program.call("broadcast", {&sum[0], &x});
    EXPECT_EQ(valuesOf(back[0]), std::vector<double>(count, sum[0].as<float>()[0]));
  }
}

TEST(HopperLoss, SquareSumIsAddedToInit) {
  Random random(5);
  for (const Shape &shape : {Shape{7, 100}, Shape{3}, Shape{33, 1001}, Shape{2, 3, 5}, Shape{40000}}) {
    std::string extents;
    for (int64_t extent : shape)
      extents += std::to_string(extent) + "x";
    OpCase c;
    c.name = "square_sum of " + extents;
    c.source = fmt::format(R"mlir(
func.func @f(%x: tensor<{0}f32>, %s: tensor<f32> {{nn.state = "norm"}}) -> tensor<f32> {{
  %y = nn.square_sum %x, %s : tensor<{0}f32>, tensor<f32>
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

// Every operation rounded once: the same bits as the formula in plain float32.
TEST(HopperLoss, AdamWIsTheFormula) {
  Random random(6);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (const Shape &shape : {Shape{5, 48}, Shape{3, 7}, Shape{33}}) {
      std::string extents = shape.size() == 1 ? fmt::format("{}", shape[0]) : fmt::format("{}x{}", shape[0], shape[1]);
      CompiledForDevice program(withElement(fmt::format(R"mlir(
func.func @f(%p: tensor<{0}xf32> {{nn.state = "master:w"}}, %m: tensor<{0}xf32> {{nn.state = "moment1:w"}},
    %v: tensor<{0}xf32> {{nn.state = "moment2:w"}}, %g: tensor<{0}xf32> {{nn.state = "gradient:w"}}, %h: tensor<8xf32>)
    -> (tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xE>) {{
  %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %h : tensor<{0}xf32>, tensor<8xf32> -> tensor<{0}xE>
  return %p1, %m1, %v1, %w : tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xf32>, tensor<{0}xE>
}})mlir",
                                                        extents),
                                            dtype));
      Tensor p = random.normal(DType::kF32, shape), m = random.normal(DType::kF32, shape),
             g = random.normal(DType::kF32, shape);
      Tensor v = random.normal(DType::kF32, shape, 0.1, 1.0);
      float h[8] = {0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.271f, 0.1426f};
      Tensor hyper = makeTensor(DType::kF32, {8}, std::vector<double>(h, h + 8));
      Tensor p1 = copyOf(p), m1 = copyOf(m), v1 = copyOf(v);
      std::vector<double> weights;
      for (int64_t i = 0; i < p.elements(); ++i) {
        float gradient = g.as<float>()[i] * h[5];
        float &mi = m1.as<float>()[i], &vi = v1.as<float>()[i], &pi = p1.as<float>()[i];
        mi = h[1] * mi + (1 - h[1]) * gradient;
        vi = h[2] * vi + (1 - h[2]) * gradient * gradient;
        pi = pi - h[0] * ((mi / h[6]) / (std::sqrt(vi / h[7]) + h[3]) + h[4] * pi);
        weights.push_back(pi);
      }
      auto results = program.call("f", {&p, &m, &v, &g, &hyper});
      EXPECT_EQ(difference(p, p1), "the same");
      EXPECT_EQ(difference(m, m1), "the same");
      EXPECT_EQ(difference(v, v1), "the same");
      EXPECT_EQ(difference(results[0], makeTensor(dtype, shape, weights)), "the same");
    }
}

} // namespace
