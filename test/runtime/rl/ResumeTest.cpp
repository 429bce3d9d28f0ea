// Runs that continue with more steps than they began with.
#include "runtime/core/file.h"
#include "runtime/core/hash.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/rl/fake_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// A finished run that gets more steps gives the bytes of one that had them from
// the start.
template <typename Run>
void expectMoreStepsAreByteIdentical(const TemporaryFolder &folder,
                                     FakeWorldOptions options, int64_t every,
                                     Run run) {
  auto configOf = [&](const char *out, int64_t steps) {
    Config config = letterConfig(folder / out);
    config.rl.steps = config.sft.steps = steps;
    config.eval.every = every;
    config.train.optimizer.decay = Decay::kConstant;
    return config;
  };
  FakeWorld straight(configOf("straight", 9), options);
  ASSERT_TRUE(run(straight, LoopCallbacks{}, false).isOk());
  std::string first;
  for (int64_t steps : {1, 3, 4, 9}) {
    FakeWorld world(configOf("longer", steps), options);
    Status status = run(world, LoopCallbacks{}, true);
    ASSERT_TRUE(status.isOk()) << status.message();
    if (steps == 9)
      EXPECT_TRUE(world.bytes() == straight.bytes());
    // The second time there is nothing to do.
    std::string metrics = *readFile(folder / "longer/metrics.jsonl");
    FakeWorld again(configOf("longer", steps), options);
    ASSERT_TRUE(run(again, LoopCallbacks{}, true).isOk());
    EXPECT_EQ(*readFile(folder / "longer/metrics.jsonl"), metrics);
    if (steps == 4)
      first = metrics;
  }
  EXPECT_EQ(*readFile(folder / "longer/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
  // The run is stopped on the way to more steps, then set back to the old
  // number. The line that ended it is there again.
  for (int64_t steps : {4, 9, 4}) {
    FakeWorld world(configOf("back", steps), options);
    LoopCallbacks callbacks;
    // Dies as if killed, without a checkpoint beyond the old one.
    if (steps == 9)
      callbacks.progress = [&](const StepMetrics &line) {
        if (line.step == 4)
          throw std::runtime_error("killed");
      };
    try {
      ASSERT_TRUE(run(world, callbacks, true).isOk());
    } catch (const std::runtime_error &) {
      EXPECT_EQ(steps, 9);
    }
  }
  EXPECT_EQ(*readFile(folder / "back/metrics.jsonl"), first);
}

TEST(Grpo, MoreStepsAreByteIdentical) {
  for (int64_t every : {0, 2, 3}) {
    TemporaryFolder folder;
    expectMoreStepsAreByteIdentical(
        folder, {}, every,
        [](FakeWorld &world, LoopCallbacks callbacks, bool resume) {
          return world.grpo(std::move(callbacks), resume);
        });
  }
}

TEST(Sft, MoreStepsAreByteIdentical) {
  TemporaryFolder folder;
  expectMoreStepsAreByteIdentical(
      folder, {.objective = FakeObjective::kSft}, 2,
      [](FakeWorld &world, LoopCallbacks callbacks, bool resume) {
        return world.sft(std::move(callbacks), resume);
      });
}

TEST(Grpo, FewerStepsThanTakenEndTheRunWhereItIs) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.train.optimizer.decay = Decay::kConstant;
  config.rl.steps = 3;
  ASSERT_TRUE(FakeWorld(config).grpo().isOk());
  std::string metrics = *readFile(folder / "out/metrics.jsonl");
  config.rl.steps = 2;
  std::vector<std::string> warnings;
  ASSERT_TRUE(
      FakeWorld(config)
          .grpo({.progress = {},
                 .warn =
                     [&](const std::string &line) { warnings.push_back(line); },
                 .stop = {}},
                true)
          .isOk());
  EXPECT_THAT(
      warnings,
      testing::ElementsAre(
          "rl.steps is 2, but the run has taken 3 already; it ends here"));
  EXPECT_EQ(*readFile(folder / "out/metrics.jsonl"), metrics);
}

// A goal that was met ends the run again. A higher goal lets it continue.
TEST(Sft, AHigherGoalGoesOn) {
  TemporaryFolder folder;
  auto run = [&](const char *out, double goal, bool resume) {
    Config config = letterConfig(folder / out);
    config.eval.every = 4;
    config.sft.untilReward = goal;
    return FakeWorld(config, {.objective = FakeObjective::kSft})
        .sft({}, resume);
  };
  ASSERT_TRUE(run("straight", 0.9, false).isOk());
  ASSERT_TRUE(run("higher", 0.5, false).isOk());
  std::string metrics = *readFile(folder / "higher/metrics.jsonl");
  ASSERT_TRUE(run("higher", 0.5, true).isOk());
  EXPECT_EQ(*readFile(folder / "higher/metrics.jsonl"), metrics);
  ASSERT_TRUE(run("higher", 0.9, true).isOk());
  EXPECT_NE(*readFile(folder / "higher/metrics.jsonl"), metrics);
  EXPECT_EQ(*readFile(folder / "higher/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
}

// Rewrites the newest checkpoint in the format of an older version, with a hash
// instead of the keys.
void makeFirstFormat(const std::filesystem::path &checkpoint,
                     const std::string &hash) {
  Json state = *readJsonFile(checkpoint / "state.json");
  state["format"] = 1;
  state["config_hash"] = hash;
  for (const char *key : {"config", "contents"})
    state.erase(key);
  for (const char *key : {"learned_steps", "steps_without_update", "no_update"})
    state["loop"].erase(key);
  ASSERT_TRUE(
      writeFileAtomically(checkpoint / "state.json", toText(state)).isOk());
  Json manifest = *readJsonFile(checkpoint / "manifest.json");
  FileHash written = *hashFile(checkpoint / "state.json");
  manifest["files"]["state.json"] = {{"bytes", written.bytes},
                                     {"xxh3", written.hash}};
  manifest["xxh3"] = hash128(manifest["files"].dump());
  ASSERT_TRUE(writeFileAtomically(checkpoint / "manifest.json", manifest.dump())
                  .isOk());
}

TEST(RunFolder, GoesOnWithACheckpointOfTheFirstFormat) {
  TemporaryFolder folder;
  Config config = letterConfig(folder / "out");
  config.rl.steps = 4;
  int looks = 0;
  ASSERT_EQ(FakeWorld(config)
                .grpo({.progress = {},
                       .warn = {},
                       .stop = [&] { return ++looks > 30; }})
                .code(),
            Code::kInterrupted);
  makeFirstFormat(folder / "out/checkpoints/latest",
                  identityOf(config, false).legacyHash);
  Config other = config;
  other.rl.optionValues["clip_low"] = 0.1;
  EXPECT_THAT(FakeWorld(other).grpo({}, true).message(),
              testing::HasSubstr("another configuration: which keys differ is "
                                 "not known, an older version saved it"));
  FakeWorld resumed(config);
  ASSERT_TRUE(resumed.grpo({}, true).isOk());
  config.run.out = (folder / "straight").string();
  FakeWorld straight(config);
  ASSERT_TRUE(straight.grpo().isOk());
  EXPECT_TRUE(resumed.bytes() == straight.bytes());
  EXPECT_EQ(*readFile(folder / "out/metrics.jsonl"),
            *readFile(folder / "straight/metrics.jsonl"));
}

} // namespace
