// Compares advantages of groups with values by hand.
#include "runtime/rl/advantage.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nibble;

namespace {

Group groupOf(std::vector<double> rewards) {
  Group group;
  group.prompt = {1, 2, 3};
  for (double reward : rewards) {
    ScoredSample &scored = group.samples.emplace_back();
    scored.reward = reward;
    scored.sample.tokens = {4, 5};
    scored.sample.logProbability = {-1, -2};
    scored.sample.finish = FinishReason::kStop;
  }
  return group;
}

TEST(Advantage, MeanAndStandardDeviationOfTheGroup) {
  Group group = groupOf({1, 0, 0, 0});
  assignAdvantages(group, Advantage::kGroupStd, 0);
  EXPECT_DOUBLE_EQ(group.samples[0].advantage, 0.75 / std::sqrt(0.1875));
  EXPECT_DOUBLE_EQ(group.samples[1].advantage, -0.25 / std::sqrt(0.1875));
  assignAdvantages(group, Advantage::kGroupStd, 0.5);
  EXPECT_DOUBLE_EQ(group.samples[0].advantage,
                   0.75 / (std::sqrt(0.1875) + 0.5));
  assignAdvantages(group, Advantage::kGroupMean, 0.5);
  EXPECT_EQ(group.samples[0].advantage, 0.75);
  EXPECT_FALSE(isUniform(group));
}

TEST(Advantage, NegativeWeightScalesWhatIsWorseThanTheMean) {
  for (double weight : {0.0, 0.25, 1.0}) {
    Group group = groupOf({1, 0, 0, 0});
    Group whole = group;
    assignAdvantages(whole, Advantage::kGroupStd, 1e-6);
    assignAdvantages(group, Advantage::kGroupStd, 1e-6, weight);
    EXPECT_EQ(group.samples[0].advantage, whole.samples[0].advantage);
    for (int i = 1; i < 4; ++i) {
      EXPECT_LT(whole.samples[i].advantage, 0);
      EXPECT_EQ(group.samples[i].advantage,
                weight * whole.samples[i].advantage);
    }
  }
}

TEST(Advantage, EqualRewardsGiveExactlyZero) {
  for (double reward : {0.0, 1.0, 0.1}) {
    // 0.1 * 7 / 7 is not 0.1.
    Group group = groupOf(std::vector<double>(7, reward));
    assignAdvantages(group, Advantage::kGroupStd, 0);
    EXPECT_TRUE(isUniform(group));
    for (const auto &sample : group.samples)
      EXPECT_EQ(sample.advantage, 0.0);
  }
}

// Sums of the same terms in different orders differ in the last bits, which
// carry no information.
TEST(Advantage, RewardsThatDifferByRoundingAreEqual) {
  double ulp = 0x1p-54; // one ulp of 0.3
  for (auto rewards : {std::vector<double>{0.1 + 0.2, 0.3},
                       {-0.3, -0.3 - 4 * ulp},
                       {0.3, 0.3 + 4 * ulp, 0.3 + ulp}}) {
    Group group = groupOf(rewards);
    ASSERT_NE(group.samples[0].reward, group.samples[1].reward);
    EXPECT_TRUE(isUniform(group));
    assignAdvantages(group, Advantage::kGroupStd, 0);
    for (const auto &sample : group.samples)
      EXPECT_EQ(sample.advantage, 0.0);
  }
  for (auto rewards : {std::vector<double>{0.3, 0.3 + 5 * ulp},
                       {0.3, 0.3 + 1e-15},
                       {0, 1e-300},
                       {-1e-20, 1e-20},
                       {1e308, -1e308}})
    EXPECT_FALSE(isUniform(groupOf(rewards))) << rewards[1];
}

TEST(Advantage, MomentsHoldTheirDigits) {
  auto near = [](std::vector<double> values, double mean, double deviation) {
    Moments moments = momentsOf(values);
    EXPECT_DOUBLE_EQ(moments.mean * moments.unit, mean);
    EXPECT_DOUBLE_EQ(moments.deviation * moments.unit, deviation);
  };
  near({}, 0, 0);
  near({0, 0}, 0, 0);
  near(std::vector<double>(7, 0.1), 0.1, 0); // 0.1 * 7 / 7 is not 0.1
  near({0.1 + 0.2, 0.3}, 0.3, 0x1p-55);
  near({1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3}, 1e9 + 1.5, std::sqrt(1.25));
  near({1e308, -1e308}, 0, 1e308);
  near({1e308, 1.5e308, 1e308, 1.5e308}, 1.25e308, 0.25e308);
  near({1e-308, 3e-308}, 2e-308, 1e-308);
  // So do the resulting advantages.
  for (double scale : {1.0, 1e308, 1e-200}) {
    Group group = groupOf({scale, -scale, -scale, scale});
    assignAdvantages(group, Advantage::kGroupStd, 0);
    for (const auto &sample : group.samples)
      EXPECT_EQ(sample.advantage, sample.reward > 0 ? 1 : -1);
    assignAdvantages(group, Advantage::kGroupMean, 0);
    for (const auto &sample : group.samples)
      EXPECT_EQ(sample.advantage, sample.reward);
  }
}

TEST(Advantage, FailedSamplesAreLeftOut) {
  Group group = groupOf({1, 0, 100});
  group.samples[2].failed = true;
  assignAdvantages(group, Advantage::kGroupStd, 0);
  EXPECT_EQ(group.samples[0].advantage, 1);
  EXPECT_EQ(group.samples[1].advantage, -1);
  EXPECT_EQ(group.samples[2].advantage, 0);
  group.samples[1].failed = true;
  EXPECT_TRUE(isUniform(group));
}

TEST(Sequences, MaskCoversTheResponseOnly) {
  Group group = groupOf({1, 0});
  TrainSequence sequence = toSequence(group.prompt, group.samples[0].sample);
  EXPECT_EQ(sequence.tokens, (std::vector<int32_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(sequence.mask, (std::vector<float>{0, 0, 1, 1}));
  EXPECT_EQ(sequence.oldLogProbability, (std::vector<float>{0, 0, -1, -2}));
}

TEST(Sequences, WeightsSumToOneByTheChosenMean) {
  Config config;
  config.rollout.sampling.maxNewTokens = 10;
  std::vector<Group> groups = {groupOf({1, 0, 1}), groupOf({0, 1, 0})};
  groups[0].samples[0].sample.tokens = {4};
  groups[0].samples[0].sample.logProbability = {-1};
  groups[1].samples[1].sample.tokens.clear(); // nothing was generated
  groups[1].samples[1].sample.logProbability.clear();
  groups[1].samples[2].failed = true;
  std::vector<SamplePlace> places;
  auto weightsOf = [&](LossNormalization kind) {
    config.rl.lossNormalization = kind;
    std::vector<double> sums;
    for (const auto &sequence : toSequences(groups, config, places)) {
      sums.push_back(0);
      for (float weight : sequence.weight)
        sums.back() += weight;
    }
    return sums;
  };
  EXPECT_EQ(weightsOf(LossNormalization::kToken).size(), 4u);
  auto near = [&](LossNormalization kind, std::vector<double> expected) {
    auto sums = weightsOf(kind);
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(sums[i], expected[i], 1e-7) << i;
  };
  near(LossNormalization::kToken, {1. / 7, 2. / 7, 2. / 7, 2. / 7});
  near(LossNormalization::kSequence, {1. / 4, 1. / 4, 1. / 4, 1. / 4});
  near(LossNormalization::kConstant, {1. / 40, 2. / 40, 2. / 40, 2. / 40});
  groups[0].samples[1].sample.finish = FinishReason::kLength;
  EXPECT_EQ(weightsOf(LossNormalization::kToken).size(), 4u);
  config.rl.maskTruncated = true;
  EXPECT_EQ(weightsOf(LossNormalization::kToken).size(), 3u);
  EXPECT_EQ(places[1].sample, 2u);
}

TEST(Mismatch, CountsBits) {
  Sample sample;
  sample.tokens = {1, 2};
  sample.logProbability = {-1.0f, 0.0f};
  Mismatch mismatch;
  mismatch.add(sample, std::vector<float>{9, 9, -1.0f, 0.0f});
  EXPECT_EQ(mismatch.mismatches, 0);
  EXPECT_EQ(mismatch.tokens, 2);
  mismatch.add(sample, std::vector<float>{
                           -1.5f, -0.0f}); // minus zero is another bit pattern
  EXPECT_EQ(mismatch.mismatches, 2);
  EXPECT_EQ(mismatch.meanAbsoluteDifference(), 0.125);
}

} // namespace
