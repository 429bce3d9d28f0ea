#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// Rows of 16-byte pieces, of 4- and 2-byte ones, and more than a block's threads have.
constexpr int kFeatures[] = {256, 96, 20, 21, 2056};

OpCase makeCase(const std::string &op, const std::string &source, std::vector<int> perToken) {
  OpCase c;
  c.name = op;
  c.source = source;
  c.dtype = DType::kBF16;
  c.perToken = std::move(perToken);
  return c;
}

TEST(HopperElementwise, EmbeddingAndTakeRowsCopyRows) {
  Random random(1);
  for (int features : kFeatures)
    for (const char *op : {"nn.embedding %i, %x : tensor<?xi32>, tensor<50x{0}xbf16>",
                           "nn.take_rows %x, %i : tensor<50x{0}xbf16>, tensor<?xi32>"}) {
      std::string source = fmt::format(R"mlir(
func.func @f(%x: tensor<50x{0}xbf16>, %i: tensor<?xi32>) -> tensor<?x{0}xbf16> {{
  %y = OP -> tensor<?x{0}xbf16>
  return %y : tensor<?x{0}xbf16>
}})mlir",
                                       features);
      source.replace(source.find("OP"), 2, fmt::format(fmt::runtime(op), features));
      CompiledForDevice program(source);
      Tensor x = random.normal(DType::kBF16, {50, features});
      for (int count : {19, 1, 0}) {
        Tensor i = random.indices({count}, 50);
        auto y = program.call("f", {&x, &i});
        for (int t = 0; t < count; ++t) {
          int row = i.as<int32_t>()[t];
          EXPECT_EQ(difference(rowsOf(y[0], t, t + 1), rowsOf(x, row, row + 1)), "the same") << op;
        }
      }
    }
}

// One ascending chain of float32 additions for each element.
TEST(HopperElementwise, EmbeddingGradAddsInTheOrderOfTheTokens) {
  Random random(2);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (int features : kFeatures) {
      CompiledForDevice program(withElement(fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %tokens: tensor<?xi32>, %init: tensor<90x{0}xf32> {{nn.state = "gradient:w"}}) -> tensor<90x{0}xf32> {{
  %g = nn.embedding_grad %dy, %tokens, %init : tensor<?x{0}xE>, tensor<?xi32>, tensor<90x{0}xf32>
  return %g : tensor<90x{0}xf32>
}})mlir",
                                                        features),
                                            dtype));
      for (int count : {0, 1, 31, 67, 300}) {
        if (count == 300 && features > 100)
          continue;
        Tensor dy = random.normal(dtype, {count, features}), tokens = random.indices({count}, count == 67 ? 3 : 90);
        Tensor table = random.normal(DType::kF32, {90, features}), expected = copyOf(table);
        auto values = valuesOf(dy);
        for (int t = 0; t < count; ++t)
          for (int j = 0; j < features; ++j)
            expected.as<float>()[tokens.as<int32_t>()[t] * features + j] +=
                static_cast<float>(values[t * features + j]);
        program.call("f", {&dy, &tokens, &table});
        EXPECT_EQ(difference(table, expected), "the same") << nameOf(dtype) << " " << features << " " << count;
      }
    }
}

TEST(HopperElementwise, SumTokensAddsInTheOrderOfTheTokens) {
  Random random(3);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (int features : kFeatures) {
      CompiledForDevice program(withElement(fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %init: tensor<{0}xf32> {{nn.state = "gradient:b"}}) -> tensor<{0}xf32> {{
  %s = nn.sum_tokens %x, %init : tensor<?x{0}xE>, tensor<{0}xf32>
  return %s : tensor<{0}xf32>
}})mlir",
                                                        features),
                                            dtype));
      for (int count : {45, 8, 3, 0}) {
        Tensor x = random.normal(dtype, {count, features}), sum = random.normal(DType::kF32, {features}),
               expected = copyOf(sum);
        auto values = valuesOf(x);
        for (int t = 0; t < count; ++t)
          for (int j = 0; j < features; ++j)
            expected.as<float>()[j] += static_cast<float>(values[t * features + j]);
        program.call("f", {&x, &sum});
        EXPECT_EQ(difference(sum, expected), "the same") << nameOf(dtype) << " " << features << " " << count;
      }
    }
}

TEST(HopperElementwise, RopeMeansWhatTheReferenceSays) {
  Random random(4);
  for (int half : {64, 12, 10, 5})
    for (const char *inverse : {"", " {inverse}"}) {
      OpCase c = makeCase(fmt::format("rope of {}{}", 2 * half, inverse),
                          fmt::format(R"mlir(
func.func @f(%x: tensor<?x{0}xE>, %cos: tensor<?x{1}xf32>, %sin: tensor<?x{1}xf32>) -> tensor<?x{0}xE> {{
  %y = nn.rope %x, %cos, %sin{2} : tensor<?x{0}xE>, tensor<?x{1}xf32>
  return %y : tensor<?x{0}xE>
}})mlir",
                                      6 * half, half, inverse),
                          {0, 1, 2});
      c.arguments.push_back(random.normal(DType::kBF16, {9, 6 * half}));
      c.arguments.push_back(random.normal(DType::kF32, {9, half}));
      c.arguments.push_back(random.normal(DType::kF32, {9, half}));
      checkOnDevice(c);
    }
}

TEST(HopperElementwise, RopeTableMeansWhatTheReferenceSays) {
  Random random(5);
  OpCase c = makeCase("rope_table", R"mlir(
func.func @f(%p: tensor<?xi32>) -> (tensor<?x18xf32>, tensor<?x18xf32>) {
  %c, %s = nn.rope_table %p {inverse_frequencies = array<f32: 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.09, 0.05, 0.02, 0.01,
      0.002, 0.0005, 0.0001, 0.00001>, attention_factor = 1.25 : f32} : tensor<?xi32> -> tensor<?x18xf32>
  return %c, %s : tensor<?x18xf32>, tensor<?x18xf32>
})mlir",
                      {0});
  c.arguments.push_back(random.indices({200}, 1 << 18));
  c.bound = 1e-6; // angles are float32 in the reference too
  checkOnDevice(c);
}

TEST(HopperElementwise, SwigluAndItsGradientMeanWhatTheReferenceSays) {
  Random random(6);
  for (int features : kFeatures) {
    OpCase c = makeCase(fmt::format("swiglu of {}", features),
                        fmt::format(R"mlir(
func.func @f(%gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> tensor<?x{0}xE> {{
  %y = nn.swiglu %gate, %up : tensor<?x{0}xE>
  return %y : tensor<?x{0}xE>
}})mlir",
                                    features),
                        {0, 1});
    c.arguments.push_back(random.normal(DType::kBF16, {7, features}, 4.0));
    c.arguments.push_back(random.normal(DType::kBF16, {7, features}));
    checkOnDevice(c);
    OpCase g = makeCase(fmt::format("swiglu_grad of {}", features),
                        fmt::format(R"mlir(
func.func @f(%dy: tensor<?x{0}xE>, %gate: tensor<?x{0}xE>, %up: tensor<?x{0}xE>) -> (tensor<?x{0}xE>, tensor<?x{0}xE>) {{
  %dgate, %dup = nn.swiglu_grad %dy, %gate, %up : tensor<?x{0}xE>
  return %dgate, %dup : tensor<?x{0}xE>, tensor<?x{0}xE>
}})mlir",
                                    features),
                        {0, 1, 2});
    g.arguments.push_back(random.normal(DType::kBF16, {7, features}));
    g.arguments.push_back(copyOf(c.arguments[0]));
    g.arguments.push_back(copyOf(c.arguments[1]));
    checkOnDevice(g);
  }
}

// The kernels compute in the order of the host's: the same bits.
TEST(HopperElementwise, SwigluIsTheHosts) {
  std::string source = R"mlir(
func.func @f(%gate: tensor<?x40xbf16>, %up: tensor<?x40xbf16>) -> tensor<?x40xbf16> {
  %y = nn.swiglu %gate, %up : tensor<?x40xbf16>
  return %y : tensor<?x40xbf16>
})mlir";
  Random random(7);
  Tensor gate = random.normal(DType::kBF16, {100, 40}, 20.0), up = random.normal(DType::kBF16, {100, 40});
  auto device = CompiledForDevice(source).call("f", {&gate, &up});
  auto host = HostProgram(source).call("f", {&gate, &up});
  EXPECT_EQ(difference(device[0], host[0]), "the same");
}

TEST(HopperElementwise, FloatActivationsAreRefused) {
  EXPECT_NE(whyNotForDevice(R"mlir(
func.func @f(%gate: tensor<?x40xf32>, %up: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %y = nn.swiglu %gate, %up : tensor<?x40xf32>
  return %y : tensor<?x40xf32>
})mlir")
                .find("an H200's kernels take bf16"),
            std::string::npos);
}

} // namespace
