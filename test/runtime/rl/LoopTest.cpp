// The loops in a small fake world: learning, determinism, stopping and
// resuming.
#include "runtime/core/file.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/rl/fake_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <sys/wait.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

TEST(Grpo, LearnsWithoutAnyMismatch) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  FakeWorld world(config);
  Status status = world.grpo();
  ASSERT_TRUE(status.isOk()) << status.message();
  auto lines = linesOf(folder / "out/metrics.jsonl");
  ASSERT_EQ(lines.size(), 41u); // and the evaluation at the end
  int64_t tokens = 0;
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(lines[i]["step"], i);
    EXPECT_EQ(lines[i]["weight_version"], i);
    EXPECT_EQ(lines[i]["train_rollout_logprob_abs_diff"], 0.0);
    EXPECT_EQ(lines[i]["train_rollout_logprob_mismatches"], 0);
    // Every sampled token was compared, including those of dropped groups.
    EXPECT_EQ(lines[i]["train_rollout_logprob_tokens"].get<double>(),
              lines[i]["response_length_mean"].get<double>() *
                  lines[i]["samples"].get<double>());
    EXPECT_GE(lines[i]["groups_kept"].get<int>() +
                  lines[i]["groups_dropped"].get<int>(),
              8);
    EXPECT_EQ(lines[i].contains("heldout_reward"), i % 10 == 0);
    tokens += lines[i]["train_rollout_logprob_tokens"].get<int64_t>();
  }
  double first = lines[0]["heldout_reward"];
  double last = lines[40]["heldout_reward"];
  std::printf("held-out reward %.3f -> %.3f, %lld tokens compared\n", first,
              last, static_cast<long long>(tokens));
  EXPECT_LT(first, 0.4);
  EXPECT_GT(last, 0.9);
  EXPECT_EQ(linesOf(folder / "out/timings.jsonl").size(), 41u);
}

// The comparison detects a rollout whose graph differs slightly from the
// trained one.
TEST(Grpo, AnotherRolloutGraphShowsAsMismatch) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 2;
  FakeWorld world(config, {.rolloutHistoryScale = 0.51f});
  ASSERT_TRUE(world.grpo().isOk());
  auto lines = linesOf(folder / "out/metrics.jsonl");
  EXPECT_GT(lines[0]["train_rollout_logprob_mismatches"].get<int64_t>(), 0);
  EXPECT_GT(lines[0]["train_rollout_logprob_abs_diff"].get<double>(), 1e-4);
  EXPECT_LT(lines[0]["train_rollout_logprob_abs_diff"].get<double>(), 0.1);
}

TEST(Grpo, OnlyConfigurationAndSeedDecide) {
  TemporaryFolder folder;
  std::string metrics;
  std::map<std::string, std::string> weights;
  for (int variant = 0; variant < 4; ++variant) {
    Config config = letterConfig(folder / std::to_string(variant));
    config.rl.steps = 12;
    if (variant == 1) { // other sizes of calls and caches
      config.rollout.maxTokensPerCall = 5;
      config.rollout.maxRunning = 3;
      config.run.checkpointEvery = 0;
    }
    if (variant == 3)
      config.run.seed = 12;
    FakeWorld world(config, {.pages = variant == 2 ? 12 : 0});
    ASSERT_TRUE(world.grpo().isOk());
    std::string text =
        *readFile(folder / (std::to_string(variant) + "/metrics.jsonl"));
    if (variant == 0) {
      metrics = text;
      weights = world.bytes();
    }
    EXPECT_EQ(text == metrics, variant < 3) << variant;
    EXPECT_EQ(world.bytes() == weights, variant < 3) << variant;
  }
}

TEST(Grpo, EveryVariantRuns) {
  TemporaryFolder folder;
  int number = 0;
  auto run = [&](auto change) {
    Config config = letterConfig(folder / std::to_string(number++));
    config.rl.steps = 3;
    change(config);
    FakeWorld world(config);
    Status status = world.grpo();
    EXPECT_TRUE(status.isOk()) << status.message();
    auto lines =
        linesOf(std::filesystem::path(config.run.out) / "metrics.jsonl");
    if (config.rl.compare != Comparison::kNone) {
      EXPECT_GT(lines[0]["train_rollout_logprob_tokens"], 0);
      EXPECT_EQ(lines[2]["train_rollout_logprob_mismatches"], 0);
    }
    return lines;
  };
  auto lines = run([](Config &c) { c.rl.updatesPerStep = 4; });
  EXPECT_EQ(lines[0]["updates"], 4);
  EXPECT_EQ(lines[1]["weight_version"], 4);
  EXPECT_TRUE(lines[0].contains("clipped"));
  EXPECT_TRUE(lines[0].contains("clip_fraction"));
  // The first is a mean over the tokens of all updates, the second a mean over
  // updates of their means.
  EXPECT_NEAR(lines[2]["clipped"].get<double>(),
              lines[2]["clip_fraction"].get<double>(), 0.1);
  lines = run([](Config &c) { c.rl.compare = Comparison::kNone; });
  EXPECT_FALSE(lines[0].contains("train_rollout_logprob_abs_diff"));
  run([](Config &c) { c.rl.compare = Comparison::kTrained; });
  lines = run([](Config &c) { c.rl.filterEqualRewards = false; });
  EXPECT_EQ(lines[0]["groups_kept"], 8);
  EXPECT_EQ(lines[0]["sampling_rounds"], 1);
  run([](Config &c) { c.rl.maskTruncated = true; });
  run([](Config &c) { c.rl.lossNormalization = LossNormalization::kConstant; });
  run([](Config &c) { c.rollout.sampling.topP = 0.8; });
  lines = run([](Config &c) {
    c.rl.steps = 3;
    c.eval.every = 0;
  });
  EXPECT_EQ(lines.size(), 3u);
}

class OddReward : public RewardFunction {
public:
  Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) override {
    std::vector<RewardOutcome> outcomes;
    for (const auto &request : requests) {
      bool right = request.response == request.reference;
      outcomes.push_back(outcomes.size() % 3 == 0
                             ? RewardOutcome{0, true, "timed out"}
                             : RewardOutcome{right ? 1.0 : 0.0, false, {}});
      if (outcomes.size() % 7 == 0)
        outcomes.back().reward = std::nan("");
    }
    return outcomes;
  }
};

TEST(Grpo, FailedRewardsCostTheSampleNotTheRun) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 5;
  FakeWorld world(config);
  OddReward reward;
  world.parts.environment.reward = &reward;
  std::vector<std::string> warnings;
  Status status = world.grpo(
      {.progress = {},
       .warn = [&](const std::string &line) { warnings.push_back(line); },
       .stop = {}});
  ASSERT_TRUE(status.isOk()) << status.message();
  // For the first evaluation and the first step only.
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[0],
              HasSubstr("count 0 in the evaluation; the first: timed out"));
  EXPECT_THAT(warnings[1], HasSubstr("step 0: "));
  EXPECT_THAT(
      warnings[1],
      HasSubstr("have no reward and are not trained on; the first: timed out"));
  for (const Json &line : linesOf(folder / "out/metrics.jsonl"))
    if (line.contains("samples"))
      EXPECT_GT(line["reward_failed"].get<int>(),
                line["samples"].get<int>() / 3);
}

// A run without stops and one that is stopped repeatedly give the same bytes
// everywhere.
template <typename Run>
void expectResumeIsByteIdentical(Config config, const TemporaryFolder &folder,
                                 FakeWorldOptions options, int most, Run run) {
  config.run.out = (folder / "straight").string();
  FakeWorld straight(config, options);
  ASSERT_TRUE(run(straight, LoopCallbacks{}, false).isOk());
  config.run.out = (folder / "stopped").string();
  int stops = 0;
  std::map<std::string, std::string> bytes;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    FakeWorld world(config, options); // like a new process, with fresh weights
    int asked = 0;
    Status status = run(
        world,
        LoopCallbacks{.progress = {},
                      .warn = {},
                      .stop = [&] { return ++asked > most + attempt % 17; }},
        true);
    if (status.isOk()) {
      bytes = world.bytes();
      break;
    }
    ASSERT_EQ(status.code(), Code::kInterrupted) << status.message();
    ++stops;
  }
  std::printf("%d stops\n", stops);
  EXPECT_GT(stops, 3);
  // Not EXPECT_EQ, which would print all the bytes.
  EXPECT_TRUE(bytes == straight.bytes());
  EXPECT_EQ(*readFile(folder / "stopped/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
  for (const char *file : {"weights.safetensors", "optimizer.safetensors"})
    EXPECT_TRUE(*readFile(folder / "stopped/checkpoints/latest" / file) ==
                *readFile(folder / "straight/checkpoints/latest" / file))
        << file;
}

TEST(Grpo, StoppedAndResumedIsByteIdentical) {
  TemporaryFolder folder;
  Config config = letterConfig({});
  config.rl.steps = 12;
  config.eval.every = 4;
  expectResumeIsByteIdentical(
      config, folder, {}, 40,
      [](FakeWorld &world, LoopCallbacks callbacks, bool resume) {
        return world.grpo(std::move(callbacks), resume);
      });
}

TEST(Sft, StoppedAndResumedIsByteIdentical) {
  TemporaryFolder folder;
  Config config = letterConfig({});
  expectResumeIsByteIdentical(
      config, folder, {.objective = FakeObjective::kSft}, 7,
      [](FakeWorld &world, LoopCallbacks callbacks, bool resume) {
        return world.sft(std::move(callbacks), resume);
      });
}

// A run that is killed at any moment and resumed gives the same bytes as an
// undisturbed one.
TEST(Grpo, KilledAndResumedIsByteIdentical) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "straight");
  config.rl.steps = 15;
  config.run.checkpointEvery = 2;
  FakeWorld straight(config);
  auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(straight.grpo().isOk());
  auto whole = std::chrono::steady_clock::now() - began;
  config.run.out = (folder / "killed").string();
  int kills = 0;
  for (;; ++kills) {
    ASSERT_LT(kills, 1000);
    pid_t child = fork();
    if (child == 0) {
      FakeWorld world(config);
      LoopCallbacks callbacks;
      // The first kills strike inside the run on any machine, however late its
      // parent wakes.
      if (kills < 2)
        callbacks.stop = [looks = 0, kills]() mutable {
          if (++looks == 3 + kills)
            raise(SIGKILL);
          return false;
        };
      _exit(world.grpo(std::move(callbacks), true).isOk() ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    // The intervals grow, so that the run ends eventually on any machine.
    if (kills >= 2) {
      std::this_thread::sleep_for(
          whole *
          toBelow(randomBits(1, RandomStream::kTask, 0, 0, kills),
                  400 + 20 * kills) /
          1000);
      kill(child, SIGKILL);
    }
    int result = 0;
    waitpid(child, &result, 0);
    if (WIFEXITED(result)) {
      ASSERT_EQ(WEXITSTATUS(result), 0);
      break;
    }
  }
  std::printf("%d kills\n", kills);
  EXPECT_GT(kills, 1);
  EXPECT_EQ(*readFile(folder / "killed/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
  for (const char *file : {"weights.safetensors", "optimizer.safetensors"})
    EXPECT_TRUE(*readFile(folder / "killed/checkpoints/latest" / file) ==
                *readFile(folder / "straight/checkpoints/latest" / file))
        << file;
}

TEST(Sft, LearnsTheAnswers) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  FakeWorld world(config, {.objective = FakeObjective::kSft});
  Status status = world.sft();
  ASSERT_TRUE(status.isOk()) << status.message();
  auto lines = linesOf(folder / "out/metrics.jsonl");
  std::printf("loss %.3f -> %.3f, held-out reward %.3f -> %.3f\n",
              lines[0]["loss"].get<double>(), lines[39]["loss"].get<double>(),
              lines[0]["heldout_reward"].get<double>(),
              lines[40]["heldout_reward"].get<double>());
  EXPECT_LT(lines[39]["loss"], 0.3 * lines[0]["loss"].get<double>());
  EXPECT_GT(lines[40]["heldout_reward"], 0.9);
}

TEST(Sft, EndsWhenTheHeldOutRewardArrives) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.eval.every = 4;
  config.sft.untilReward = 0.5;
  ASSERT_TRUE(
      FakeWorld(config, {.objective = FakeObjective::kSft}).sft().isOk());
  auto lines = linesOf(folder / "out/metrics.jsonl");
  double reward = lines.back()["heldout_reward"];
  std::printf("held-out reward %.3f after %zu of %lld steps\n", reward,
              lines.size() - 1, static_cast<long long>(config.sft.steps));
  EXPECT_LT(lines.size(), static_cast<size_t>(config.sft.steps));
  EXPECT_GE(reward, 0.5);
  EXPECT_FALSE(lines.back().contains("loss")); // an evaluation without training
  for (size_t i = 0; i + 1 < lines.size(); ++i)
    EXPECT_LT(lines[i].value("heldout_reward", 0.0), 0.5);
  std::string metrics = *readFile(folder / "out/metrics.jsonl");
  ASSERT_TRUE(FakeWorld(config, {.objective = FakeObjective::kSft})
                  .sft({}, true)
                  .isOk()); // complete: nothing to do
  EXPECT_EQ(*readFile(folder / "out/metrics.jsonl"), metrics);
}

TEST(RunFolder, RefusesWhatIsNotItsOwn) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 2;
  ASSERT_TRUE(FakeWorld(config).grpo().isOk());
  Status status = FakeWorld(config).grpo();
  EXPECT_EQ(status.code(), Code::kUsage);
  EXPECT_THAT(status.message(), HasSubstr("holds a run already"));
  std::string metrics = *readFile(folder / "out/metrics.jsonl");
  // The run is complete, so there is nothing to do.
  ASSERT_TRUE(FakeWorld(config).grpo({}, true).isOk());
  EXPECT_EQ(*readFile(folder / "out/metrics.jsonl"), metrics);
  Config other = config;
  other.rl.optionValues["clip_low"] = 0.1;
  EXPECT_THAT(FakeWorld(other).grpo({}, true).message(),
              HasSubstr("holds a run of another configuration: rl.clip_low was "
                        "0.2, is 0.1; go on with"));
  EXPECT_THAT(FakeWorld(config, {.objective = FakeObjective::kSft})
                  .sft({}, true)
                  .message(),
              HasSubstr("'nibble rl'"));
  auto lock = FolderLock::acquire(folder / "out");
  EXPECT_EQ(FakeWorld(config).grpo({}, true).code(), Code::kEnvironment);
  config.run.out = "";
  EXPECT_EQ(FakeWorld(config).grpo().code(), Code::kUsage);
  config.run.out = "/proc/nothing";
  EXPECT_EQ(FakeWorld(config).grpo().code(), Code::kEnvironment);
}

// A refused run removes nothing from the folder.
TEST(RunFolder, RefusedRunLosesNothing) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 4;
  config.run.checkpointEvery = 1;
  config.run.keepCheckpoints = 4;
  ASSERT_TRUE(FakeWorld(config).grpo().isOk());
  // Larger than any process id.
  auto unfinished = folder / "out/model.tmp.2147483646";
  ASSERT_TRUE(makeFolders(unfinished).isOk());
  auto page = folder / "out/report.html.tmp.2147483646.0";
  ASSERT_TRUE(writeFileAtomically(page, "half").isOk());
  auto before = *listFolder(folder / "out/checkpoints");
  config.run.keepCheckpoints = 1;
  EXPECT_EQ(FakeWorld(config).grpo().code(), Code::kUsage);
  EXPECT_EQ(*listFolder(folder / "out/checkpoints"), before);
  EXPECT_TRUE(std::filesystem::exists(unfinished));
  ASSERT_TRUE(FakeWorld(config).grpo({}, true).isOk());
  EXPECT_LT(listFolder(folder / "out/checkpoints")->size(), before.size());
  EXPECT_FALSE(std::filesystem::exists(unfinished));
  EXPECT_FALSE(std::filesystem::exists(page));
}

TEST(RunFolder, DamagedCheckpointFallsBackAndArrivesAtTheSameBytes) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 6;
  config.run.checkpointEvery = 2;
  FakeWorld first(config);
  ASSERT_TRUE(first.grpo().isOk());
  std::string metrics = *readFile(folder / "out/metrics.jsonl");
  ASSERT_TRUE(writeFileAtomically(
                  folder / "out/checkpoints/step-000006/state.json", "{}")
                  .isOk());
  std::vector<std::string> warnings;
  FakeWorld second(config);
  ASSERT_TRUE(
      second
          .grpo({.progress = {},
                 .warn =
                     [&](const std::string &text) { warnings.push_back(text); },
                 .stop = {}},
                true)
          .isOk());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr("step-000006"));
  EXPECT_TRUE(second.bytes() == first.bytes());
  EXPECT_EQ(*readFile(folder / "out/metrics.jsonl"), metrics);
  for (const char *step : {"step-000004", "step-000006"})
    ASSERT_TRUE(writeFileAtomically(
                    folder / "out/checkpoints" / step / "state.json", "{}")
                    .isOk());
  EXPECT_EQ(FakeWorld(config).grpo({}, true).code(), Code::kBadInput);
}

} // namespace
