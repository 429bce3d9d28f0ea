// Embeddings, copies, rope and swiglu on the host.
#include "test/passes/LowerToHost/OpCases.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr DType kDTypes[] = {DType::kBF16, DType::kF32};
constexpr int kFeatures[] = {256, 64, 96, 16, 21};

TEST(Elementwise, EmbeddingAndTakeRowsCopyRows) {
  Random random(1);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      for (const std::string &source : gatherSources(features)) {
        HostProgram program(withElement(source, dtype));
        Tensor x = random.normal(dtype, {50, features});
        Tensor i = random.indices({19}, 50);
        auto y = program.call("f", {&x, &i});
        for (int t = 0; t < 19; ++t) {
          int row = i.as<int32_t>()[t];
          EXPECT_EQ(difference(rowsOf(y[0], t, t + 1), rowsOf(x, row, row + 1)),
                    "the same")
              << source;
        }
      }
    }
}

// Each element is one ascending sum of float32 additions for any number of
// threads. The test compares with that sum.
TEST(Elementwise, EmbeddingGradAddsInTheOrderOfTheTokens) {
  Random random(2);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      HostProgram program(withElement(embeddingGradSource(9, features), dtype));
      Tensor dy = random.normal(dtype, {64, features});
      Tensor tokens = random.indices({64}, 9);
      Tensor table = random.normal(DType::kF32, {9, features});
      Tensor expected = embeddingGradOf(dy, tokens, table);
      program.call("f", {&dy, &tokens, &table});
      EXPECT_EQ(difference(table, expected), "the same")
          << nameOf(dtype) << " " << features;
    }
}

TEST(Elementwise, SumTokensAddsInTheOrderOfTheTokens) {
  Random random(3);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      HostProgram program(withElement(sumTokensSource(features), dtype));
      Tensor x = random.normal(dtype, {45, features});
      Tensor sum = random.normal(DType::kF32, {features});
      Tensor expected = sumTokensOf(x, sum);
      program.call("f", {&x, &sum});
      EXPECT_EQ(difference(sum, expected), "the same")
          << nameOf(dtype) << " " << features;
    }
}

TEST(Elementwise, RopeMeansWhatTheReferenceSays) {
  Random random(4);
  for (DType dtype : kDTypes)
    for (int half : {64, 32, 8, 20})
      for (bool inverse : {false, true})
        checkOp(ropeCase(dtype, half, inverse, random));
}

TEST(Elementwise, RopeTableMeansWhatTheReferenceSays) {
  Random random(5);
  checkOp(ropeTableCase(DType::kF32, random));
}

TEST(Elementwise, SwigluAndItsGradientMeanWhatTheReferenceSays) {
  Random random(6);
  for (DType dtype : kDTypes)
    for (int features : kFeatures) {
      checkOp(swigluCase(dtype, features, random));
      checkOp(swigluGradCase(dtype, features, random));
    }
}

// Chains of tensor arithmetic round after each operation, in vector lanes and
// in the remainder of a row, for any number of threads.
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
        Tensor a = random.normal(DType::kBF16, {rows, features}),
               b = random.normal(DType::kBF16, {rows, features});
        Tensor s = random.normal(DType::kF32, {rows});
        std::vector<double> expected, list;
        auto x = valuesOf(a);
        auto y = valuesOf(b);
        auto z = valuesOf(s);
        for (size_t i = 0; i < x.size(); ++i) {
          float sum = numerics::roundToBf16(static_cast<float>(x[i]) +
                                            static_cast<float>(y[i]));
          expected.push_back(
              numerics::roundToBf16(sum * static_cast<float>(y[i])));
        }
        for (double value : z) {
          auto single = static_cast<float>(value);
          float square = single * single;
          list.push_back(square - single);
        }
        for (int threads : {1, 2}) {
          auto results = program.call("f", {&a, &b, &s}, threads);
          EXPECT_EQ(valuesOf(results[0]), expected)
              << cpu << ", " << rows << " rows of " << features;
          EXPECT_EQ(valuesOf(results[1]), list)
              << cpu << ", " << rows << " rows";
          compared += static_cast<int64_t>(expected.size() + list.size());
        }
      }
    }
  std::cout << compared << " elements compared\n";
}

} // namespace
