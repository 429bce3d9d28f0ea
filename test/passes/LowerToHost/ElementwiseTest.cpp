#include "test/passes/LowerToHost/OpCheck.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr DType kDTypes[] = {DType::kBF16, DType::kF32};
constexpr int kFeatures[] = {256, 64, 96, 16, 21};

OpCase makeCase(const std::string &op, DType dtype, const std::string &source, std::vector<int> perToken) {
  OpCase c;
  c.name = fmt::format("{} {}", op, nameOf(dtype));
  c.source = source;
  c.dtype = dtype;
  c.perToken = std::move(perToken);
  return c;
}

TEST(Elementwise, EmbeddingAndTakeRowsCopyRows) {
  Random random(1);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      for (const char *op : {"nn.embedding %i, %x : tensor<?xi32>, tensor<50x{0}xE>",
                             "nn.take_rows %x, %i : tensor<50x{0}xE>, tensor<?xi32>"}) {
        std::string source = fmt::format(R"mlir(
func.func @f(%x: tensor<50x{0}xE>, %i: tensor<?xi32>) -> tensor<?x{0}xE> {{
  %y = OP -> tensor<?x{0}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                                         features);
        source.replace(source.find("OP"), 2, fmt::format(fmt::runtime(op), features));
        HostProgram program(withElement(source, dtype));
        Tensor x = random.normal(dtype, {50, features}), i = random.indices({19}, 50);
        auto y = program.call("f", {&x, &i});
        for (int t = 0; t < 19; ++t) {
          int row = i.as<int32_t>()[t];
          EXPECT_EQ(difference(rowsOf(y[0], t, t + 1), rowsOf(x, row, row + 1)), "the same") << op;
        }
      }
    }
}

// One ascending chain of float32 additions per element, whatever the threads: compared with that chain.
TEST(Elementwise, EmbeddingGradAddsInTheOrderOfTheTokens) {
  Random random(2);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      HostProgram program(withElement(fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %tokens: tensor<?xi32>, %init: tensor<9x{0}xf32> {{nn.state = "gradient:w"}}) -> tensor<9x{0}xf32> {{
  %g = nn.embedding_grad %dy, %tokens, %init : tensor<?x{0}xE>, tensor<?xi32>, tensor<9x{0}xf32>
  return %g : tensor<9x{0}xf32>
}})mlir",
                                                  features),
                                      dtype));
      Tensor dy = random.normal(dtype, {64, features}), tokens = random.indices({64}, 9);
      Tensor table = random.normal(DType::kF32, {9, features}), expected = copyOf(table);
      auto values = valuesOf(dy);
      for (int t = 0; t < 64; ++t)
        for (int j = 0; j < features; ++j)
          expected.as<float>()[tokens.as<int32_t>()[t] * features + j] += static_cast<float>(values[t * features + j]);
      program.call("f", {&dy, &tokens, &table});
      EXPECT_EQ(difference(table, expected), "the same") << nameOf(dtype) << " " << features;
    }
}

TEST(Elementwise, SumTokensAddsInTheOrderOfTheTokens) {
  Random random(3);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      HostProgram program(withElement(fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %init: tensor<{0}xf32> {{nn.state = "gradient:b"}}) -> tensor<{0}xf32> {{
  %s = nn.sum_tokens %x, %init : tensor<?x{0}xE>, tensor<{0}xf32>
  return %s : tensor<{0}xf32>
}})mlir",
                                                  features),
                                      dtype));
      Tensor x = random.normal(dtype, {45, features}), sum = random.normal(DType::kF32, {features}),
             expected = copyOf(sum);
      auto values = valuesOf(x);
      for (int t = 0; t < 45; ++t)
        for (int j = 0; j < features; ++j)
          expected.as<float>()[j] += static_cast<float>(values[t * features + j]);
      program.call("f", {&x, &sum});
      EXPECT_EQ(difference(sum, expected), "the same") << nameOf(dtype) << " " << features;
    }
}

TEST(Elementwise, RopeMeansWhatTheReferenceSays) {
  Random random(4);
  for (DType dtype : kDTypes)
    for (int half : {64, 32, 8, 20})
      for (const char *inverse : {"", " {inverse}"}) {
        OpCase c = makeCase(fmt::format("rope of {}{}", 2 * half, inverse), dtype,
                            fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %cos: tensor<?x{1}xf32>, %sin: tensor<?x{1}xf32>) -> tensor<?x{0}xE> {{
  %y = nn.rope %x, %cos, %sin{2} : tensor<?x{0}xE>, tensor<?x{1}xf32>
  return %y : tensor<?x{0}xE>
}})mlir",
                                        6 * half, half, inverse),
                            {0, 1, 2});
        c.arguments.push_back(random.normal(dtype, {9, 6 * half}));
        c.arguments.push_back(random.normal(DType::kF32, {9, half}));
        c.arguments.push_back(random.normal(DType::kF32, {9, half}));
        checkOp(c);
      }
}

TEST(Elementwise, RopeTableMeansWhatTheReferenceSays) {
  Random random(5);
  OpCase c = makeCase("rope_table", DType::kF32, R"mlir(
func.func @f(%p: tensor<?xi32>) -> (tensor<?x18xf32>, tensor<?x18xf32>) {
  %c, %s = nn.rope_table %p {inverse_frequencies = array<f32: 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.09, 0.05, 0.02, 0.01,
      0.002, 0.0005, 0.0001, 0.00001>, attention_factor = 1.25 : f32} : tensor<?xi32> -> tensor<?x18xf32>
  return %c, %s : tensor<?x18xf32>, tensor<?x18xf32>
})mlir",
                      {0});
  c.arguments.push_back(random.indices({200}, 1 << 18));
  c.bound = 1e-6; // angles are float32 in the reference too
  checkOp(c);
}

TEST(Elementwise, SwigluMeansWhatTheReferenceSays) {
  Random random(6);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      OpCase c = makeCase(fmt::format("swiglu of {}", features), dtype,
                          fmt::format(R"mlir(
func.func @f(%gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> tensor<?x{0}xE> {{
  %y = nn.swiglu %gate, %up : tensor<?x{0}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                                      features),
                          {0, 1});
      c.arguments.push_back(random.normal(dtype, {7, features}, 4.0));
      c.arguments.push_back(random.normal(dtype, {7, features}));
      checkOp(c);
    }
}

TEST(Elementwise, SwigluGradMeansWhatTheReferenceSays) {
  Random random(7);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      OpCase c = makeCase(fmt::format("swiglu_grad of {}", features), dtype,
                          fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> (tensor<?x{0}xE>, tensor<?x{0}xE>) {{
  %dgate, %dup = nn.swiglu_grad %dy, %gate, %up : tensor<?x{0}xE>
  return %dgate, %dup : tensor<?x{0}xE>, tensor<?x{0}xE>
}})mlir",
                                      features),
                          {0, 1, 2});
      c.arguments.push_back(random.normal(dtype, {7, features}));
      c.arguments.push_back(random.normal(dtype, {7, features}, 4.0));
      c.arguments.push_back(random.normal(dtype, {7, features}));
      checkOp(c);
    }
}

// Chains of tensor arithmetic round after each operation, in lanes as in what is left of a row, whatever the threads.
TEST(Elementwise, ChainsOfTensorsRoundEachOperation) {
  Random random(8);
  int64_t compared = 0;
  for (const char *cpu : {"host", "haswell"})
    for (int features : kFeatures) {
      HostProgram program(fmt::format(R"mlir(
func.func @f(%a: tensor<?x{0}xbf16>, %b: tensor<?x{0}xbf16>, %s: tensor<?xf32>) -> (tensor<?x{0}xbf16>, tensor<?xf32>) {{
  %0 = arith.addf %a, %b : tensor<?x{0}xbf16>
  %1 = arith.mulf %0, %b : tensor<?x{0}xbf16>
  %2 = arith.mulf %s, %s : tensor<?xf32>
  %3 = arith.subf %2, %s : tensor<?xf32>
  return %1, %3 : tensor<?x{0}xbf16>, tensor<?xf32>
}})mlir",
                                      features),
                          cpu);
      for (int64_t rows : {1, 5, 19}) {
        Tensor a = random.normal(DType::kBF16, {rows, features}), b = random.normal(DType::kBF16, {rows, features});
        Tensor s = random.normal(DType::kF32, {rows});
        std::vector<double> expected, list;
        auto x = valuesOf(a), y = valuesOf(b), z = valuesOf(s);
        for (size_t i = 0; i < x.size(); ++i) {
          float sum = numerics::roundToBf16(static_cast<float>(x[i]) + static_cast<float>(y[i]));
          expected.push_back(numerics::roundToBf16(sum * static_cast<float>(y[i])));
        }
        for (double value : z) {
          auto single = static_cast<float>(value);
          float square = single * single;
          list.push_back(square - single);
        }
        for (int threads : {1, 2}) {
          auto results = program.call("f", {&a, &b, &s}, threads);
          EXPECT_EQ(valuesOf(results[0]), expected) << cpu << ", " << rows << " rows of " << features;
          EXPECT_EQ(valuesOf(results[1]), list) << cpu << ", " << rows << " rows";
          compared += static_cast<int64_t>(expected.size() + list.size());
        }
      }
    }
  std::cout << compared << " elements compared\n";
}

} // namespace
