// Compares the layers of nn with torch in float64.
#include "test/lib/Reference/Run.h"
#include "test/lib/Reference/torch_values.inc"

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct LayerTest : ReferenceTest {};

TEST_F(LayerTest, EmbeddingTakesTheRowsOfItsTokens) {
  auto results = run(
      R"(func.func @f(%t: tensor<?xi32>, %w: tensor<3x2xbf16>) -> tensor<?x2xbf16> {
    %y = nn.embedding %t, %w : tensor<?xi32>, tensor<3x2xbf16> -> tensor<?x2xbf16>
    return %y : tensor<?x2xbf16>
  })",
      {i32({3}, {2, 0, 2}), bf16({3, 2}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(5, 6, 1, 2, 5, 6));
}

TEST_F(LayerTest, EmbeddingRefusesATokenOutsideTheTable) {
  auto results = run(
      R"(func.func @f(%t: tensor<?xi32>, %w: tensor<3x2xbf16>) -> tensor<?x2xbf16> {
    %y = nn.embedding %t, %w : tensor<?xi32>, tensor<3x2xbf16> -> tensor<?x2xbf16>
    return %y : tensor<?x2xbf16>
  })",
      {i32({2}, {0, 3}), bf16({3, 2}, {1, 2, 3, 4, 5, 6})});
  EXPECT_TRUE(results.empty());
  EXPECT_THAT(errors,
              HasSubstr("entry 1 of an index operand is 3, not in 0..2"));
}

TEST_F(LayerTest, EmbeddingGradAddsRowsToThoseOfTheTable) {
  auto results = run(
      R"(func.func @f(%dy: tensor<3x2xf32>, %t: tensor<3xi32>, %i: tensor<3x2xf32>) -> tensor<3x2xf32> {
    %g = nn.embedding_grad %dy, %t, %i : tensor<3x2xf32>, tensor<3xi32>, tensor<3x2xf32>
    return %g : tensor<3x2xf32>
  })",
      {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i32({3}, {2, 0, 2}),
       f32({3, 2}, {10, 10, 10, 10, 10, 10})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(13, 14, 10, 10, 16, 18));
}

TEST_F(LayerTest, RmsNormAndGradientAreTorchs) {
  using namespace torch_values;
  auto results = run(
      R"(func.func @f(%x: tensor<?x8xf32>, %w: tensor<4xf32>, %dy: tensor<?x8xf32>, %i: tensor<4xf32>)
      -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<4xf32>) {
    %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x8xf32>, tensor<4xf32>
    %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %i {epsilon = 1.0e-6 : f32} : tensor<?x8xf32>, tensor<4xf32>, tensor<4xf32>
    return %y, %dx, %dw : tensor<?x8xf32>, tensor<?x8xf32>, tensor<4xf32>
  })",
      {f32({3, 8}, rms_x), f32({4}, rms_weight), f32({3, 8}, rms_dy),
       f32({4}, {0, 0, 0, 0})},
      ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 3u) << errors;
  // The program's epsilon is a float32, torch's here a float64.
  expectClose(results[0], rms_y);
  expectClose(results[1], rms_dx, 1e-11);
  expectClose(results[2], rms_dweight);
}

// x = [3, 4] has mean square 12.5. 4 / sqrt(12.5) = 1.13137 rounds to 1.1328125
// in bf16. Times 1.5 that is 1.69921875, in bf16 1.703125 (a tie, to even).
// Without the first rounding it would be 1.69706, in bf16 1.6953125.
TEST_F(LayerTest, RmsNormRoundsBeforeItScales) {
  auto results = run(
      R"(func.func @f(%x: tensor<?x2xbf16>, %w: tensor<2xbf16>) -> tensor<?x2xbf16> {
    %y = nn.rms_norm %x, %w {epsilon = 0.0 : f32} : tensor<?x2xbf16>, tensor<2xbf16>
    return %y : tensor<?x2xbf16>
  })",
      {bf16({1, 2}, {3, 4}), bf16({2}, {3, 1.5})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(2.546875, 1.703125));
}

const char *const kRope =
    R"(func.func @f(%p: tensor<?xi32>, %x: tensor<?x4xf32>, %dy: tensor<?x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %cos, %sin = nn.rope_table %p {inverse_frequencies = array<f32: 1.0, 0.25>, attention_factor = 1.0 : f32}
      : tensor<?xi32> -> tensor<?x2xf32>
  %y = nn.rope %x, %cos, %sin : tensor<?x4xf32>, tensor<?x2xf32>
  %dx = nn.rope %dy, %cos, %sin {inverse} : tensor<?x4xf32>, tensor<?x2xf32>
  return %y, %dx : tensor<?x4xf32>, tensor<?x4xf32>
})";

TEST_F(LayerTest, RopeAndGradientAreTorchs) {
  using namespace torch_values;
  auto results = run(
      kRope, {i32({3}, {0, 5, 2}), f32({3, 4}, rope_x), f32({3, 4}, rope_dy)},
      ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 2u) << errors;
  expectClose(results[0], rope_y);
  expectClose(results[1], rope_dx);
}

TEST_F(LayerTest, RopeRefusesATableOfAnotherLength) {
  auto results =
      run(kRope, {i32({2}, {0, 5}), f32({3, 4}, torch_values::rope_x),
                  f32({3, 4}, torch_values::rope_dy)});
  EXPECT_TRUE(results.empty());
  EXPECT_THAT(errors,
              HasSubstr("has shape [2, 2], but the others ask for [3, 2]"));
}

TEST_F(LayerTest, SwigluAndGradientAreTorchs) {
  using namespace torch_values;
  auto results = run(
      R"(func.func @f(%g: tensor<?x3xf32>, %u: tensor<?x3xf32>, %dy: tensor<?x3xf32>)
      -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>) {
    %y = nn.swiglu %g, %u : tensor<?x3xf32>
    %dg, %du = nn.swiglu_grad %dy, %g, %u : tensor<?x3xf32>
    return %y, %dg, %du : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>
  })",
      {f32({2, 3}, swiglu_gate), f32({2, 3}, swiglu_up),
       f32({2, 3}, swiglu_dy)},
      ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 3u) << errors;
  expectClose(results[0], swiglu_y);
  expectClose(results[1], swiglu_dgate);
  expectClose(results[2], swiglu_dup);
}

TEST_F(LayerTest, TakeRowsAndSumTokens) {
  auto results = run(
      R"(func.func @f(%x: tensor<?x2xf32>, %r: tensor<?xi32>, %i: tensor<2xf32>)
      -> (tensor<?x2xf32>, tensor<2xf32>) {
    %y = nn.take_rows %x, %r : tensor<?x2xf32>, tensor<?xi32> -> tensor<?x2xf32>
    %s = nn.sum_tokens %x, %i : tensor<?x2xf32>, tensor<2xf32>
    return %y, %s : tensor<?x2xf32>, tensor<2xf32>
  })",
      {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i32({1}, {1}), f32({2}, {100, 200})});
  ASSERT_EQ(results.size(), 2u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(3, 4));
  EXPECT_THAT(results[1].reals, ElementsAre(109, 212));
}

// [1, 2] . [3, 5] = 13. 13 + 0.015625 = 13.015625, in bf16 13. 13 + 0.5 = 13.5.
TEST_F(LayerTest, LinearRoundsAfterTheSumTheBiasAndTheResidual) {
  auto results = run(
      R"(func.func @f(%x: tensor<?x2xbf16>, %w: tensor<1x2xbf16>, %b: tensor<1xbf16>, %r: tensor<?x1xbf16>)
      -> tensor<?x1xbf16> {
    %y = nn.linear %x, %w bias(%b : tensor<1xbf16>) residual(%r : tensor<?x1xbf16>)
        : tensor<?x2xbf16>, tensor<1x2xbf16> -> tensor<?x1xbf16>
    return %y : tensor<?x1xbf16>
  })",
      {bf16({1, 2}, {1, 2}), bf16({1, 2}, {3, 5}), bf16({1}, {0.015625}),
       bf16({1, 1}, {0.5})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(13.5));
}

TEST_F(LayerTest, GradientsOfLinear) {
  auto results = run(
      R"(func.func @f(%dy: tensor<?x2xf32>, %x: tensor<?x3xf32>, %w: tensor<2x3xf32>, %i: tensor<2x3xf32>)
      -> (tensor<?x3xf32>, tensor<2x3xf32>) {
    %dx = nn.linear_input_grad %dy, %w : tensor<?x2xf32>, tensor<2x3xf32> -> tensor<?x3xf32>
    %dw = nn.linear_weight_grad %dy, %x, %i : tensor<?x2xf32>, tensor<?x3xf32>, tensor<2x3xf32>
    return %dx, %dw : tensor<?x3xf32>, tensor<2x3xf32>
  })",
      {f32({2, 2}, {1, 2, 3, 4}), f32({2, 3}, {1, 0, 2, 0, 1, 1}),
       f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({2, 3}, {100, 0, 0, 0, 0, 0})});
  ASSERT_EQ(results.size(), 2u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(9, 12, 15, 19, 26, 33));
  EXPECT_THAT(results[1].reals, ElementsAre(101, 3, 5, 2, 4, 8));
}

} // namespace
