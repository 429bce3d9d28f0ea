// Compares log-probability and the optimizer with torch, and sums with values
// by hand.
#include "test/lib/Reference/Run.h"
#include "test/lib/Reference/torch_values.inc"

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct LossTest : ReferenceTest {};

const char *const kLogProbability =
    R"(func.func @f(%l: tensor<?x5xf32>, %t: tensor<?xi32>, %u: tensor<?xf32>,
    %dlogp: tensor<?xf32>, %dentropy: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?x5xf32>) {
  %logp, %lse, %entropy = nn.log_probability %l, %t, %u : tensor<?x5xf32>, tensor<?xi32>, tensor<?xf32>
  %dl = nn.log_probability_grad %dlogp, %dentropy, %l, %t, %u, %lse, %entropy
      : tensor<?x5xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp, %lse, %entropy, %dl : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?x5xf32>
})";

TEST_F(LossTest, LogProbabilityEntropyAndGradientAreTorchs) {
  using namespace torch_values;
  auto results =
      run(kLogProbability,
          {f32({3, 5}, logp_logits), i32({3}, {4, 0, 2}), f32({3}, {1, 0.5, 2}),
           f32({3}, logp_dlogp), f32({3}, logp_dentropy)},
          ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 4u) << errors;
  expectClose(results[0], logp_logp);
  expectClose(results[1], logp_lse);
  expectClose(results[2], logp_entropy);
  expectClose(results[3], logp_dlogits);
}

TEST_F(LossTest, ATargetOutsideTheVocabularyIsRefused) {
  EXPECT_TRUE(
      run(kLogProbability, {f32({1, 5}, {1, 2, 3, 4, 5}), i32({1}, {-1}),
                            f32({1}, {1}), f32({1}, {1}), f32({1}, {1})})
          .empty());
  EXPECT_THAT(errors, HasSubstr("is -1, not in 0..4"));
}

TEST_F(LossTest, Sums) {
  auto results = run(R"(func.func @f(%x: tensor<?xf32>, %m: tensor<2x2xf32>)
      -> (tensor<f32>, tensor<?xf32>, tensor<f32>) {
    %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
    %y = nn.broadcast %s, %x : tensor<f32>, tensor<?xf32>
    %q = nn.square_sum %s, %m, %x : tensor<f32>, tensor<2x2xf32>, tensor<?xf32>
    return %s, %y, %q : tensor<f32>, tensor<?xf32>, tensor<f32>
  })",
                     {f32({3}, {1, 2, 4}), f32({2, 2}, {1, 2, 3, 4})});
  ASSERT_EQ(results.size(), 3u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(7));
  EXPECT_THAT(results[1].reals, ElementsAre(7, 7, 7));
  EXPECT_THAT(results[2].reals, ElementsAre(37 + 21));
}

// The third step. Its gradient is four times too large, and the clip scale is a
// quarter.
TEST_F(LossTest, AdamWIsTorchs) {
  using namespace torch_values;
  std::vector<double> fourfold;
  for (double g : adamw_gradient2)
    fourfold.push_back(4 * g);
  auto results = run(
      R"(func.func @f(%p: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %g: tensor<4xf32>,
      %h: tensor<8xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>) {
    %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %h : tensor<4xf32>, tensor<8xf32> -> tensor<4xbf16>
    return %p1, %m1, %v1, %w : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>
  })",
      {f64In32({4}, adamw_before), f64In32({4}, adamw_moment1),
       f64In32({4}, adamw_moment2), f64In32({4}, fourfold),
       f32({8}, {0.125, 0.875, 0.96875, 0x1p-20, 0.25, 0.25, 1 - 0.669921875,
                 1 - 0.909149169921875})},
      ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 4u) << errors;
  expectClose(results[0], adamw_after);
  expectClose(results[1], adamw_new_moment1);
  expectClose(results[2], adamw_new_moment2);
  expectClose(results[3], adamw_after);
}

} // namespace
