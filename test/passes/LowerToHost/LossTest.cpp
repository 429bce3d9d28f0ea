#include "test/passes/LowerToHost/OpCheck.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr int kVocabularies[] = {151936, 32000, 100, 16, 5};

std::string logProbability(int vocabulary) {
  return fmt::format(R"mlir(
func.func @f(%logits: tensor<?x{0}xf32>, %targets: tensor<?xi32>, %temperature: tensor<?xf32>)
    -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {{
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x{0}xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp, %lse, %entropy : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
}})mlir",
                     vocabulary);
}

TEST(Loss, LogProbabilityMeansWhatTheReferenceSays) {
  Random random(1);
  for (int vocabulary : kVocabularies) {
    OpCase c;
    c.name = fmt::format("log_probability over {}", vocabulary);
    c.source = logProbability(vocabulary);
    c.dtype = DType::kF32;
    c.arguments.push_back(random.normal(DType::kF32, {6, vocabulary}, 3.0));
    c.arguments.push_back(random.indices({6}, vocabulary));
    c.arguments.push_back(makeTensor(DType::kF32, {6}, {1, 0.7, 1.3, 0.1, 5, 1}));
    c.perToken = {0, 1, 2};
    checkOp(c);
  }
}

// Tokens that are ruled out have probability 0 and add nothing to the entropy.
TEST(Loss, LogitsOfMinusInfinityAreAbsent) {
  HostProgram program(logProbability(40)), small(logProbability(8));
  Random random(2);
  std::vector<double> few = valuesOf(random.normal(DType::kF32, {1, 8})), many(40, -INFINITY);
  std::copy(few.begin(), few.end(), many.begin());
  Tensor x = makeTensor(DType::kF32, {1, 40}, many), y = makeTensor(DType::kF32, {1, 8}, few);
  Tensor target = makeIndices({1}, {3}), temperature = makeTensor(DType::kF32, {1}, {0.9});
  auto all = program.call("f", {&x, &target, &temperature}), rest = small.call("f", {&y, &target, &temperature});
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(difference(all[i], rest[i]), "the same") << i;
}

TEST(Loss, LogProbabilityGradMeansWhatTheReferenceSays) {
  Random random(3);
  for (int vocabulary : kVocabularies) {
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
    c.arguments.push_back(random.normal(DType::kF32, {6}));
    c.arguments.push_back(random.normal(DType::kF32, {6}, 0.1));
    c.arguments.push_back(random.normal(DType::kF32, {6, vocabulary}, 3.0));
    c.arguments.push_back(random.indices({6}, vocabulary));
    c.arguments.push_back(makeTensor(DType::kF32, {6}, {1, 0.7, 1.3, 0.1, 5, 1}));
    c.perToken = {0, 1, 2, 3, 4};
    c.bound = 2e-5; // exp(x - lse) carries the rounding of x - lse, up to 2^-19 at |x| = 30
    checkOp(c);
  }
}

// Sixteen lanes, then 8, 4, 2, 1 (N13).
float sum16(const float *x, int64_t count, bool square) {
  float lanes[16] = {};
  for (int64_t i = 0; i < count; ++i)
    lanes[i % 16] = square ? std::fma(x[i], x[i], lanes[i % 16]) : lanes[i % 16] + x[i];
  for (int half = 8; half >= 1; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] += lanes[i + half];
  return lanes[0];
}

TEST(Loss, SumsFollowTheTree) {
  HostProgram program(R"mlir(
func.func @sum(%x: tensor<?xf32>) -> tensor<f32> {
  %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
  return %s : tensor<f32>
}
func.func @broadcast(%x: tensor<f32>, %like: tensor<?xf32>) -> tensor<?xf32> {
  %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
  return %y : tensor<?xf32>
}
func.func @matrix(%x: tensor<7x100xf32>, %s: tensor<f32> {nn.state = "norm"}) -> tensor<f32> {
  %y = nn.square_sum %x, %s : tensor<7x100xf32>, tensor<f32>
  return %y : tensor<f32>
}
func.func @vector(%x: tensor<100xf32>, %s: tensor<f32> {nn.state = "norm"}) -> tensor<f32> {
  %y = nn.square_sum %x, %s : tensor<100xf32>, tensor<f32>
  return %y : tensor<f32>
})mlir");
  Random random(4);
  for (int count : {0, 1, 15, 16, 17, 1000}) {
    Tensor x = random.normal(DType::kF32, {count});
    auto sum = program.call("sum", {&x});
    EXPECT_EQ(sum[0].as<float>()[0], sum16(x.as<float>(), count, false)) << count;
    auto back = program.call("broadcast", {&sum[0], &x});
    EXPECT_EQ(valuesOf(back[0]), std::vector<double>(count, sum[0].as<float>()[0]));
  }
  Tensor x = random.normal(DType::kF32, {7, 100}), norm = makeTensor(DType::kF32, {}, {2.5});
  float expected = 2.5f;
  for (int row = 0; row < 7; ++row)
    expected += sum16(x.as<float>() + row * 100, 100, true);
  program.call("matrix", {&x, &norm});
  EXPECT_EQ(norm.as<float>()[0], expected);
  Tensor row = makeTensor(DType::kF32, {100}, valuesOf(rowsOf(x, 0, 1)));
  program.call("vector", {&row, &norm});
  EXPECT_EQ(norm.as<float>()[0], expected + sum16(x.as<float>(), 100, true));
}

// Every operation rounded once: the same bits as the formula in plain float32.
TEST(Loss, AdamWIsTheFormula) {
  Random random(5);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (const Shape &shape : {Shape{5, 48}, Shape{3, 7}, Shape{33}}) {
      std::string extents = shape.size() == 1 ? fmt::format("{}", shape[0]) : fmt::format("{}x{}", shape[0], shape[1]);
      HostProgram program(withElement(fmt::format(R"mlir(
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
