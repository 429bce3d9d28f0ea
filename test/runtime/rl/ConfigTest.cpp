#include "runtime/rl/config.h"
#include "runtime/core/file.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

using namespace nibble;
using testing::HasSubstr;

namespace {

Status problemOf(std::string_view text, std::vector<std::string> overrides = {}) {
  auto config = parseConfig(text, "run.toml", overrides);
  EXPECT_TRUE(config.isOk() || config.status().code() == Code::kUsage);
  return config.isOk() ? Status::ok() : config.status();
}

TEST(Config, ReadsEveryKind) {
  auto config = parseConfig(R"(
[model]
path = "models/tiny"
[quantize]
train = "int4"
rollout = "none"
include = ["mlp", "attn"]
[rollout]
temperature = 1        # an integer is a number too
[train]
learning_rate = 3e-4
schedule = "cosine"
[rl]
advantage = "group_mean"
filter_equal_rewards = false
[run]
seed = 9223372036854775807
)",
                            "run.toml");
  ASSERT_TRUE(config.isOk()) << config.status().message();
  EXPECT_EQ(config->model.path, "models/tiny");
  EXPECT_EQ(config->quantize.rollout, "none");
  EXPECT_EQ(config->quantize.include, (std::vector<std::string>{"mlp", "attn"}));
  EXPECT_EQ(config->train.optimizer.learningRate, 3e-4);
  EXPECT_EQ(config->train.optimizer.decay, Decay::kCosine);
  EXPECT_EQ(config->rl.advantage, Advantage::kGroupMean);
  EXPECT_FALSE(config->rl.filterEqualRewards);
  EXPECT_EQ(config->run.seed, INT64_MAX);
}

TEST(Config, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(problemOf("[sft]\nstepz = 3\n").message(),
            "run.toml:2: unknown key 'sft.stepz'; known are sequences_per_step, steps, until_reward");
  EXPECT_THAT(problemOf("[rll]\nsteps = 3\n").message(),
              HasSubstr("run.toml:1: unknown section 'rll'; known are eval,"));
  EXPECT_THAT(problemOf("steps = 3\n").message(), HasSubstr("unknown section 'steps'"));
  EXPECT_EQ(problemOf("[rl]\n\nsteps = -1\n").message(), "run.toml:3: rl.steps: must be an integer in 0 .. 1073741824");
  EXPECT_THAT(problemOf("[rl]\nsteps = 1.5\n").message(), HasSubstr("rl.steps: must be an integer"));
  EXPECT_THAT(problemOf("[rl]\nsteps = \"3\"\n").message(), HasSubstr("rl.steps: must be an integer"));
  EXPECT_THAT(problemOf("[rl]\nfilter_equal_rewards = 1\n").message(), HasSubstr("must be true or false"));
  EXPECT_THAT(problemOf("[rl]\nadvantage = \"mean\"\n").message(), HasSubstr("must be one of group_std, group_mean"));
  EXPECT_THAT(problemOf("[quantize]\ntrain = \"int3\"\n").message(), HasSubstr("must be one of int4, int8, fp8, none"));
  EXPECT_THAT(problemOf("[quantize]\ninclude = \"x\"\n").message(), HasSubstr("must be a list of texts"));
  EXPECT_THAT(problemOf("[quantize]\ninclude = [\"x\", 3]\n").message(), HasSubstr("must be a list of texts"));
  EXPECT_THAT(problemOf("[train]\nlearning_rate = nan\n").message(), HasSubstr("must be a number in 0 .. 10"));
  EXPECT_THAT(problemOf("[model]\npath = 3\n").message(), HasSubstr("must be a text"));
  EXPECT_THAT(problemOf("rl = 3\n").message(), HasSubstr("run.toml:1: rl: must be a section [rl]"));
  EXPECT_THAT(problemOf("[rl\n").message(), HasSubstr("run.toml:1: "));
  EXPECT_THAT(problemOf("[rl]\nsteps = 1\nsteps = 2\n").message(), HasSubstr("run.toml:3: "));
  EXPECT_THAT(problemOf("[quantize]\ngroup_size = 48\n").message(), HasSubstr("N2"));
  EXPECT_THAT(problemOf("[rl]\nupdates_per_step = 17\n").message(), HasSubstr("rl.updates_per_step"));
  EXPECT_THAT(problemOf("[rollout]\ntemperature = 0\n").message(), HasSubstr("rollout.temperature"));
  EXPECT_EQ(loadConfig("/nowhere/run.toml").status().code(), Code::kUsage);
}

TEST(Config, OverridesComeLastAndAreChecked) {
  auto config = parseConfig("[rl]\nsteps = 3\n", "run.toml", std::vector<std::string>{"rl.steps=7", "run.out=\"x\""});
  ASSERT_TRUE(config.isOk());
  EXPECT_EQ(config->rl.steps, 7);
  EXPECT_EQ(config->run.out, "x");
  EXPECT_THAT(problemOf("", {"rl.stepz=3"}).message(), HasSubstr("'rl.stepz=3':1: unknown key 'rl.stepz'"));
  EXPECT_THAT(problemOf("", {"rl.steps"}).message(), HasSubstr("'rl.steps':1: "));
}

// The canonical text reads back to itself, so no key is missing on either side.
TEST(Config, EveryKeyHasAPlaceAndADefaultInRange) {
  Json json = toJson(Config());
  std::string toml;
  for (const auto &[section, values] : json.items()) {
    toml += "[" + section + "]\n";
    for (const auto &[key, value] : values.items())
      toml += key + " = " + value.dump() + "\n";
  }
  auto config = parseConfig(toml, "default");
  ASSERT_TRUE(config.isOk()) << config.status().message();
  EXPECT_EQ(toJson(*config), json);
  std::set<std::string> names;
  for (const ConfigKey &key : configKeys()) {
    EXPECT_TRUE(names.insert(key.section + "." + key.key).second);
    EXPECT_FALSE(key.meaning.empty());
  }
  std::printf("%zu keys\n", names.size());
}

TEST(Config, HashTellsRunsApart) {
  Config config, other;
  other.run.out = "elsewhere";
  other.run.threads = 2;
  other.rollout.maxRunning = 3;
  other.train.maxTokens = 5;
  EXPECT_EQ(hashOf(config), hashOf(other));
  // Where a step is cut shows in a device's weight gradients.
  config.run.target = other.run.target = "cuda";
  EXPECT_NE(hashOf(config), hashOf(other));
  other.train.maxTokens = config.train.maxTokens;
  EXPECT_EQ(hashOf(config), hashOf(other));
  other.rl.clipHigh = 0.28;
  EXPECT_NE(hashOf(config), hashOf(other));
}

TEST(Config, AnObjectiveIsBuiltInOrAFile) {
  EXPECT_THAT(problemOf("[rl]\nobjective = \"dpo\"\n").message(), HasSubstr("rl.objective: 'dpo' is neither grpo"));
  for (const char *option : {"margin", "=1", "margin=", "margin=x", "margin=1 ", "margin=inf"})
    EXPECT_THAT(problemOf(std::string("[rl]\nobjective_options = [\"") + option + "\"]\n").message(),
                HasSubstr("is not name=number"));
  auto config = parseConfig("[rl]\nobjective = \"own.mlir\"\nobjective_options = [\"margin=0.5\"]\n", "run.toml");
  ASSERT_TRUE(config.isOk()) << config.status().message();
  EXPECT_EQ(objectiveConstants(config->rl), (std::map<std::string, double>{{"margin", 0.5}}));
  config->rl.objective = "reinforce";
  EXPECT_EQ(objectiveConstants(config->rl), (std::map<std::string, double>{{"entropy", 0}, {"margin", 0.5}}));
}

TEST(Config, HashKnowsTheTextOfAnObjective) {
  test::TemporaryFolder folder;
  Config config;
  config.rl.objective = (folder / "own.mlir").string();
  std::set<std::string> hashes = {hashOf(config)}; // not there yet
  for (const char *text : {"a", "b"}) {
    ASSERT_TRUE(writeFileAtomically(config.rl.objective, text).isOk());
    EXPECT_TRUE(hashes.insert(hashOf(config)).second);
  }
}

} // namespace
