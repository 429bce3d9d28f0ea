// Runs that learn nothing: how they end, what they report, and how they
// continue.
#include "runtime/core/file.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/rl/fake_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

// A function gives the reward of each response.
class GivenReward : public RewardFunction {
public:
  explicit GivenReward(std::function<RewardOutcome(const RewardRequest &)> give)
      : give_(std::move(give)) {}
  Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) override {
    std::vector<RewardOutcome> outcomes;
    for (const auto &request : requests)
      outcomes.push_back(give_(request));
    return outcomes;
  }

private:
  std::function<RewardOutcome(const RewardRequest &)> give_;
};

const auto kNoReward = [](const RewardRequest &) {
  return RewardOutcome{0, true, "exited with status 1"};
};
const auto kLength = [](const RewardRequest &request) {
  return RewardOutcome{static_cast<double>(request.response.size()), false, {}};
};

// A run that updated no weight fails and says why, whatever the reason is.
TEST(Grpo, ARunThatUpdatesNothingFails) {
  TemporaryFolder folder;
  struct Case {
    const char *says;
    std::function<RewardOutcome(const RewardRequest &)> reward;
    std::function<void(Config &)> change = [](Config &) {};
  };
  const Case cases[] = {
      {"has a reward; the first: exited with status 1", kNoReward},
      {"has a reward; the first: the reward is not finite",
       [](const RewardRequest &) {
         return RewardOutcome{std::nan(""), false, {}};
       }},
      {"all rewards are 0.25, which says nothing",
       [](const RewardRequest &) { return RewardOutcome{0.25, false, {}}; }},
      {"all rewards are 0.25, which says nothing",
       [](const RewardRequest &) { return RewardOutcome{0.25, false, {}}; },
       [](Config &c) { c.rl.filterEqualRewards = false; }},
      {"the rewards in each of 24 groups are all equal",
       [](const RewardRequest &request) {
         return RewardOutcome{
             static_cast<double>(request.prompt.size()), false, {}};
       }},
      {"were truncated at rollout.max_new_tokens = 1 and left out",
       [](const RewardRequest &request) {
         return request.response.empty()
                    ? kNoReward(request)
                    : RewardOutcome{
                          static_cast<double>(request.response[0]), false, {}};
       },
       [](Config &c) {
         c.rl.maskTruncated = true;
         c.rollout.sampling.maxNewTokens = 1;
       }},
      {"in each of 24 groups are all equal", kLength,
       [](Config &c) { c.rl.samplesPerPrompt = 1; }},
      {"what the update makes of 64 responses is 0", kLength,
       [](Config &c) {
         c.rl.filterEqualRewards = false;
         c.train.optimizer.learningRate = 0;
       }},
  };
  int number = 0;
  for (const Case &test : cases) {
    Config config = letterConfig(folder / std::to_string(number++));
    config.rl.steps = 3;
    test.change(config);
    FakeWorld world(config);
    auto before = world.bytes();
    GivenReward reward(test.reward);
    world.parts.environment.reward = &reward;
    Status status = world.grpo();
    EXPECT_EQ(status.code(), Code::kFailed) << test.says;
    EXPECT_THAT(
        status.message(),
        HasSubstr("nothing was learned, none of 3 steps updated a weight: "));
    EXPECT_THAT(status.message(), HasSubstr(test.says));
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
    for (const auto &[key, bytes] : before)
      if (key.starts_with("weight:") || key.starts_with("master:"))
        EXPECT_TRUE(world.bytes()[key] == bytes) << key;
    EXPECT_EQ(
        linesOf(std::filesystem::path(config.run.out) / "metrics.jsonl").size(),
        4u);
    // A second attempt reports the same.
    FakeWorld again(config);
    again.parts.environment.reward = &reward;
    EXPECT_EQ(again.grpo({}, true).message(), status.message());
  }
  std::printf("%d reasons\n", number);
}

// The limit ends a run early. After a repair it continues and arrives where a
// run with rewards from that step on arrives.
TEST(Grpo, StepsWithoutAnUpdateEndTheRunAndItGoesOnAfterwards) {
  TemporaryFolder folder;
  // Four steps have no rewards. Each evaluates and makes 192 requests.
  auto run = [&](const char *out, int64_t limit, bool isMended, bool resume) {
    Config config = letterConfig(folder / out);
    config.rl.steps = 12;
    config.eval.every = 0;
    config.train.maxStepsWithoutUpdate = limit;
    FakeWorld world(config);
    int asked = 0;
    GivenReward reward([&](const RewardRequest &request) {
      return !isMended && ++asked <= 4 * 192 ? kNoReward(request)
                                             : kLength(request);
    });
    world.parts.environment.reward = &reward;
    Status status = world.grpo({}, resume);
    return std::pair(std::move(status), world.bytes());
  };
  auto [straight, weights] = run("straight", 5, false, false);
  // The fifth step has an update.
  ASSERT_TRUE(straight.isOk()) << straight.message();
  auto [ended, unchanged] = run("ended", 4, false, false);
  EXPECT_EQ(ended.code(), Code::kFailed);
  EXPECT_THAT(ended.message(),
              HasSubstr("4 steps one after the other updated no weight "
                        "(train.max_steps_without_update): "
                        "none of 192 responses has a reward; the first: exited "
                        "with status 1; the run is "
                        "saved, mend this and go on with --resume"));
  EXPECT_EQ(linesOf(folder / "ended/metrics.jsonl").size(), 4u);
  auto [resumed, after] = run("ended", 4, true, true);
  EXPECT_TRUE(resumed.isOk()) << resumed.message();
  EXPECT_TRUE(after == weights);
  EXPECT_EQ(*readFile(folder / "ended/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
  // Without a limit the run continues.
  EXPECT_TRUE(run("unlimited", 0, false, false).first.isOk());
}

TEST(Sft, ARunThatUpdatesNothingFails) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.sft.steps = 3;
  config.train.optimizer.learningRate = 0;
  Status status = FakeWorld(config, {.objective = FakeObjective::kSft}).sft();
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(),
              HasSubstr("none of 3 steps updated a weight: what the update "
                        "makes of 16 answers is 0"));
  config.train.maxStepsWithoutUpdate = 2;
  config.run.out = (folder / "limit").string();
  status = FakeWorld(config, {.objective = FakeObjective::kSft}).sft();
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(),
              HasSubstr("2 steps one after the other updated no weight"));
}

// Rows of a file are left out, but a generated problem that is too long ends
// the run.
TEST(Sft, AProblemThatIsTooLongWithItsAnswerIsRefused) {
  TemporaryFolder folder;
  auto run = [&](const char *out, int64_t context, int64_t maxTokens) {
    Config config = letterConfig(folder / out);
    config.sft.steps = 1;
    config.eval.every = 0;
    config.train.maxTokens = maxTokens;
    FakeWorld world(config, {.objective = FakeObjective::kSft});
    world.parts.environment.contextLength = context;
    return world.sft();
  };
  // A prompt of four letters, its answer and the end.
  EXPECT_TRUE(run("fits", 6, 5).isOk());
  Status status = run("context", 5, 5);
  EXPECT_EQ(status.code(), Code::kUsage);
  EXPECT_THAT(status.message(),
              HasSubstr("has 6 tokens with its answer, more than the context "
                        "of 5 (model.context_length)"));
  status = run("call", 6, 4);
  EXPECT_EQ(status.code(), Code::kUsage);
  EXPECT_THAT(status.message(),
              HasSubstr("has 6 tokens with its answer, more than "
                        "train.max_tokens = 4 has room for"));
}

// The spread of rewards that are huge, or close together relative to their
// size.
TEST(Grpo, TheSpreadOfRewardsIsNoRoundingNoise) {
  TemporaryFolder folder;
  auto run = [&](const char *out, double even, double odd, auto change) {
    Config config = letterConfig(folder / out);
    config.rl.steps = 1;
    config.eval.every = 0;
    change(config);
    FakeWorld world(config);
    int asked = 0;
    GivenReward reward([&](const RewardRequest &) {
      return RewardOutcome{asked++ % 2 ? odd : even, false, {}};
    });
    world.parts.environment.reward = &reward;
    Status status = world.grpo();
    auto lines = linesOf(folder / out / "metrics.jsonl");
    return std::pair(std::move(status), lines.empty() ? Json() : lines[0]);
  };
  auto nothing = [](Config &) {};
  auto [equal, line] = run("equal", 0.1 + 0.2, 0.3, nothing);
  EXPECT_EQ(equal.code(), Code::kFailed);
  EXPECT_THAT(equal.message(),
              HasSubstr("the rewards in each of 24 groups are all equal"));
  EXPECT_EQ(line["groups_kept"], 0);
  EXPECT_DOUBLE_EQ(line["reward_std"], 0x1p-55);
  auto [huge, learned] = run("huge", 1e308, -1e308, nothing);
  EXPECT_TRUE(huge.isOk()) << huge.message();
  EXPECT_DOUBLE_EQ(learned["reward_std"], 1e308);
  EXPECT_EQ(learned["updates"], 1);
  auto [tooMuch, none] = run("mean", 1e308, -1e308, [](Config &c) {
    c.rl.advantage = Advantage::kGroupMean;
  });
  EXPECT_EQ(tooMuch.code(), Code::kFailed);
  EXPECT_THAT(tooMuch.message(),
              HasSubstr("step 0: the advantage of a response with reward "
                        "1e+308 overflows float32 (1e+308); make "));
  EXPECT_TRUE(none.is_null()) << none.dump();
}

TEST(Grpo, AnEvaluationWithoutRewardsIsCountedAndTold) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 1;
  FakeWorld world(config);
  int asked = 0;
  GivenReward reward([&](const RewardRequest &request) {
    return ++asked <= 40 ? kNoReward(request) : kLength(request);
  });
  world.parts.environment.reward = &reward;
  std::vector<std::string> warnings;
  Status status = world.grpo(
      {.progress = {},
       .warn = [&](const std::string &line) { warnings.push_back(line); },
       .stop = {}});
  ASSERT_TRUE(status.isOk()) << status.message();
  EXPECT_THAT(warnings,
              testing::ElementsAre("step 0: 40 of 40 responses have no reward "
                                   "and count 0 in the evaluation; the "
                                   "first: exited with status 1"));
  auto lines = linesOf(folder / "out/metrics.jsonl");
  EXPECT_EQ(lines[0]["heldout_reward_failed"], 40);
  EXPECT_FALSE(lines[1].contains("heldout_reward_failed"));
}

} // namespace
