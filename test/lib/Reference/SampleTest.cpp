// Draws whose masses can be computed by hand: logits are logarithms of powers
// of two.
#include "test/lib/Reference/Run.h"

#include <cmath>

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct SampleTest : ReferenceTest {
  // One row in which tokens 2, 0, 1, 3 have 1/2, 1/4, 1/8, 1/8 of the mass. The
  // random bits are `share` of 2^64.
  llvm::SmallVector<ReferenceValue> draw(double share, int64_t topK,
                                         double topP, double minP,
                                         bool filtered = true,
                                         double temperature = 1.0) {
    double l = std::log(2.0);
    return run(kText,
               {f32({1, 4}, {-l, -2 * l, 0, -2 * l}), f32({1}, {temperature}),
                bits(share),
                i32({filtered ? 1 : 0}, filtered ? std::vector<int64_t>{0}
                                                 : std::vector<int64_t>{}),
                i32({filtered ? 1 : 0}, filtered ? std::vector<int64_t>{topK}
                                                 : std::vector<int64_t>{}),
                f64(filtered, topP), f64(filtered, minP)});
  }
  int64_t tokenOf(double share, int64_t topK, double topP, double minP,
                  bool filtered = true) {
    auto results = draw(share, topK, topP, minP, filtered);
    EXPECT_EQ(results.size(), 3u) << errors;
    return results.empty() ? -1 : results[0].integers[0];
  }
  ReferenceValue bits(double share) {
    return ReferenceValue::integerTensor(
        {1}, b.getI64Type(),
        {static_cast<int64_t>(static_cast<uint64_t>(share * 0x1p64))});
  }
  ReferenceValue f64(bool filtered, double value) {
    return ReferenceValue::tensor({filtered ? 1 : 0}, b.getF64Type(),
                                  filtered ? std::vector<double>{value}
                                           : std::vector<double>{});
  }

  static constexpr const char *kText =
      R"(func.func @f(%l: tensor<?x4xf32>, %t: tensor<?xf32>, %b: tensor<?xi64>, %f: tensor<?xi32>,
      %k: tensor<?xi32>, %p: tensor<?xf64>, %m: tensor<?xf64>) -> (tensor<?xi32>, tensor<?xf32>, tensor<?xi32>) {
    %token, %kept, %status = nn.sample %l, %t, %b, %f, %k, %p, %m
        : tensor<?x4xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
    return %token, %kept, %status : tensor<?xi32>, tensor<?xf32>, tensor<?xi32>
  })";
};

TEST_F(SampleTest, TokensComeInTheirOwnOrder) {
  for (auto [share, token] : {std::pair{0.0, 0},
                              {0.24, 0},
                              {0.26, 1},
                              {0.37, 1},
                              {0.38, 2},
                              {0.87, 2},
                              {0.88, 3},
                              {0.999, 3}})
    EXPECT_EQ(tokenOf(share, 0, 1, 0, false), token) << share;
}

TEST_F(SampleTest, FiltersKeepAPrefixOfTheRanking) {
  EXPECT_EQ(tokenOf(0.999, 3, 1, 0), 2); // 2, 0 and the lower of 1 and 3
  EXPECT_EQ(tokenOf(0.999, 1, 1, 0), 2);
  EXPECT_EQ(tokenOf(0.0, 1, 1, 0), 2);
  EXPECT_EQ(tokenOf(0.0, 0, 0.49, 0), 2);
  EXPECT_EQ(tokenOf(0.0, 0, 0.51, 0), 0);
  EXPECT_EQ(tokenOf(0.99, 0, 0.76, 0), 2); // 2, 0, 1
  EXPECT_EQ(tokenOf(0.3, 0, 0.76, 0), 1);  // 1/4 of 7/8, then 1
  EXPECT_EQ(tokenOf(0.0, 2, 0.6, 0), 2); // 2 has two thirds of what top_k kept
  // 3 has a quarter of the largest mass.
  EXPECT_EQ(tokenOf(0.999, 0, 1, 0.26), 2);
  auto results = draw(0.5, 2, 1, 0);
  ASSERT_EQ(results.size(), 3u) << errors;
  EXPECT_NEAR(results[1].reals[0], std::log(0.75), 1e-7);
}

TEST_F(SampleTest, GreedyAndBadRows) {
  auto greedy = draw(0.0, 0, 1, 0, false, 0.0);
  ASSERT_EQ(greedy.size(), 3u) << errors;
  EXPECT_THAT(greedy[0].integers, ElementsAre(2));
  auto of = [&](std::vector<double> logits) {
    auto results =
        run(kText, {f32({1, 4}, logits), f32({1}, {1}), bits(0), i32({0}, {}),
                    i32({0}, {}), f64(false, 0), f64(false, 0)});
    return results.empty() ? -1 : results[2].integers[0];
  };
  EXPECT_EQ(of({0, 1, 2, NAN}), 1 + 4 * 3);
  EXPECT_EQ(of({0, INFINITY, 2, NAN}), 2 + 4 * 1);
  EXPECT_EQ(of({-INFINITY, -INFINITY, -INFINITY, -INFINITY}), 3);
  EXPECT_TRUE(draw(0, 1, 1, 0, true, 0.0).empty());
  EXPECT_THAT(errors, HasSubstr("row 0 is filtered twice or greedy"));
}

} // namespace
