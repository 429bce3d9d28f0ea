// Embeddings, copies, rope and swiglu on the device.
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// Expects exactly `expected` for these arguments. One argument may be updated
// in place of a result.
void expectExactly(CompiledForDevice &program, const std::string &name,
                   std::vector<const Tensor *> arguments,
                   const Tensor &expected,
                   std::vector<std::pair<int, int>> inPlace = {}) {
  OpCase op;
  op.name = name;
  op.inPlace = std::move(inPlace);
  for (const Tensor *argument : arguments)
    op.arguments.push_back(copyOf(*argument));
  std::vector<Tensor> results;
  results.push_back(copyOf(expected));
  checkExactlyOnDevice(program, op, results);
}

// Rows that are read in 16-byte, 4-byte or 2-byte pieces, and rows longer than
// a block's threads cover at once.
constexpr int kFeatures[] = {256, 96, 20, 21, 2056};

TEST(HopperElementwise, EmbeddingAndTakeRowsCopyRows) {
  Random random(1);
  for (int features : kFeatures)
    for (const std::string &source : gatherSources(features)) {
      CompiledForDevice program(withElement(source, DType::kBF16));
      Tensor x = random.normal(DType::kBF16, {50, features});
      for (int count : {19, 1, 0}) {
        Tensor i = random.indices({count}, 50);
        Tensor expected = *Tensor::create(DType::kBF16, {count, features});
        for (int t = 0; t < count; ++t)
          std::memcpy(expected.data() + int64_t{t} * features * 2,
                      x.data() + int64_t{i.as<int32_t>()[t]} * features * 2,
                      size_t(features) * 2);
        expectExactly(program, fmt::format("{} rows of {}", count, features),
                      {&x, &i}, expected);
      }
    }
}

// Each element is one ascending sum of float32 additions.
TEST(HopperElementwise, EmbeddingGradAddsInTheOrderOfTheTokens) {
  Random random(2);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (int features : kFeatures) {
      CompiledForDevice program(
          withElement(embeddingGradSource(90, features), dtype));
      for (int count : {0, 1, 31, 67, 300}) {
        if (count == 300 && features > 100)
          continue;
        Tensor dy = random.normal(dtype, {count, features});
        Tensor tokens = random.indices({count}, count == 67 ? 3 : 90);
        Tensor table = random.normal(DType::kF32, {90, features});
        Tensor expected = embeddingGradOf(dy, tokens, table);
        expectExactly(program,
                      fmt::format("embedding_grad {} {} of {} tokens",
                                  nameOf(dtype), features, count),
                      {&dy, &tokens, &table}, expected, {{2, 0}});
      }
    }
}

TEST(HopperElementwise, SumTokensAddsInTheOrderOfTheTokens) {
  Random random(3);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (int features : kFeatures) {
      CompiledForDevice program(withElement(sumTokensSource(features), dtype));
      for (int count : {45, 8, 3, 0}) {
        Tensor x = random.normal(dtype, {count, features});
        Tensor sum = random.normal(DType::kF32, {features});
        Tensor expected = sumTokensOf(x, sum);
        expectExactly(program,
                      fmt::format("sum_tokens {} {} of {} tokens",
                                  nameOf(dtype), features, count),
                      {&x, &sum}, expected, {{1, 0}});
      }
    }
}

TEST(HopperElementwise, RopeMeansWhatTheReferenceSays) {
  Random random(4);
  for (int half : {64, 12, 10, 5})
    for (bool inverse : {false, true})
      checkOnDevice(ropeCase(DType::kBF16, half, inverse, random));
}

TEST(HopperElementwise, RopeTableMeansWhatTheReferenceSays) {
  Random random(5);
  checkOnDevice(ropeTableCase(DType::kBF16, random));
}

TEST(HopperElementwise, SwigluAndItsGradientMeanWhatTheReferenceSays) {
  Random random(6);
  for (int features : kFeatures) {
    checkOnDevice(swigluCase(DType::kBF16, features, random));
    checkOnDevice(swigluGradCase(DType::kBF16, features, random));
  }
}

// The kernels compute in the same order as the host's, so the bits are equal.
TEST(HopperElementwise, SwigluIsTheHosts) {
  std::string source = R"mlir(
func.func @f(%gate: tensor<?x40xbf16>, %up: tensor<?x40xbf16>) -> tensor<?x40xbf16> {
  %y = nn.swiglu %gate, %up : tensor<?x40xbf16>
  return %y : tensor<?x40xbf16>
})mlir";
  Random random(7);
  Tensor gate = random.normal(DType::kBF16, {100, 40}, 20.0);
  Tensor up = random.normal(DType::kBF16, {100, 40});
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
