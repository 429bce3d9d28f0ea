// Configurations: reading, overriding, and errors that name line and key.
#include "runtime/rl/config/config.h"

#include "lib/Objectives/Objectives.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

using namespace nibble;
using testing::HasSubstr;

namespace {

Status problemOf(std::string_view text,
                 std::vector<std::string> overrides = {}) {
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
  EXPECT_EQ(config->quantize.include,
            (std::vector<std::string>{"mlp", "attn"}));
  EXPECT_EQ(config->train.optimizer.learningRate, 3e-4);
  EXPECT_EQ(config->train.optimizer.decay, Decay::kCosine);
  EXPECT_EQ(config->rl.advantage, Advantage::kGroupMean);
  EXPECT_FALSE(config->rl.filterEqualRewards);
  EXPECT_EQ(config->run.seed, INT64_MAX);
}

TEST(Config, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(problemOf("[sft]\nstepz = 3\n").message(),
            "run.toml:2: unknown key 'sft.stepz'; known are "
            "sequences_per_step, steps, until_reward");
  EXPECT_THAT(problemOf("[rll]\nsteps = 3\n").message(),
              HasSubstr("run.toml:1: unknown section 'rll'; known are eval,"));
  EXPECT_THAT(problemOf("steps = 3\n").message(),
              HasSubstr("unknown section 'steps'"));
  EXPECT_EQ(problemOf("[rl]\n\nsteps = -1\n").message(),
            "run.toml:3: rl.steps: must be an integer in 0 .. 1073741824");
  EXPECT_THAT(problemOf("[rl]\nsteps = 1.5\n").message(),
              HasSubstr("rl.steps: must be an integer"));
  EXPECT_THAT(problemOf("[rl]\nsteps = \"3\"\n").message(),
              HasSubstr("rl.steps: must be an integer"));
  EXPECT_THAT(problemOf("[rl]\nfilter_equal_rewards = 1\n").message(),
              HasSubstr("must be true or false"));
  EXPECT_THAT(problemOf("[rl]\nadvantage = \"mean\"\n").message(),
              HasSubstr("must be one of group_std, group_mean"));
  EXPECT_THAT(problemOf("[quantize]\ntrain = \"int3\"\n").message(),
              HasSubstr("must be one of int4, int8, fp8, "));
  EXPECT_THAT(problemOf("[quantize]\ninclude = \"x\"\n").message(),
              HasSubstr("must be a list of texts"));
  EXPECT_THAT(problemOf("[quantize]\ninclude = [\"x\", 3]\n").message(),
              HasSubstr("must be a list of texts"));
  EXPECT_THAT(problemOf("[train]\nlearning_rate = nan\n").message(),
              HasSubstr("must be a number in 0 .. 10"));
  EXPECT_THAT(problemOf("[model]\npath = 3\n").message(),
              HasSubstr("must be a text"));
  EXPECT_THAT(problemOf("rl = 3\n").message(),
              HasSubstr("run.toml:1: rl: must be a section [rl]"));
  EXPECT_THAT(problemOf("[rl\n").message(), HasSubstr("run.toml:1: "));
  EXPECT_THAT(problemOf("[rl]\nsteps = 1\nsteps = 2\n").message(),
              HasSubstr("run.toml:3: "));
  EXPECT_THAT(problemOf("[quantize]\ngroup_size = 48\n").message(),
              HasSubstr("N2"));
  EXPECT_THAT(problemOf("[rl]\nupdates_per_step = 17\n").message(),
              HasSubstr("rl.updates_per_step"));
  EXPECT_EQ(loadConfig("/nowhere/run.toml").status().code(), Code::kUsage);
}

TEST(Config, OverridesComeLastAndAreChecked) {
  auto config =
      parseConfig("[rl]\nsteps = 3\n", "run.toml",
                  std::vector<std::string>{"rl.steps=7", "run.out=\"x\""});
  ASSERT_TRUE(config.isOk());
  EXPECT_EQ(config->rl.steps, 7);
  EXPECT_EQ(config->run.out, "x");
  EXPECT_THAT(problemOf("", {"rl.stepz=3"}).message(),
              HasSubstr("'rl.stepz=3':1: unknown key 'rl.stepz'"));
  EXPECT_THAT(problemOf("", {"rl.steps"}).message(),
              HasSubstr("'rl.steps':1: "));
}

// The canonical text reads back as itself, so no key is missing on either side.
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

// Problems that the configuration alone reveals.
TEST(Config, RefusesWhatCannotLearn) {
  struct Case {
    std::vector<std::string> set;
    const char *says; // null when the run may learn
    bool supervised = false;
  };
  const Case cases[] = {
      {{}, nullptr},
      {{}, nullptr, true},
      {{"rl.samples_per_prompt=1"},
       "rl.samples_per_prompt: a group of 1 has no advantage"},
      {{"rl.samples_per_prompt=1", "rl.advantage=\"group_mean\""},
       "rl.samples_per_prompt"},
      {{"rl.samples_per_prompt=1", "rl.filter_equal_rewards=false",
        "rl.entropy_coefficient=0.1"},
       "rl.samples_per_prompt"},
      {{"rl.samples_per_prompt=1", "rl.objective=\"own.mlir\""},
       "rl.samples_per_prompt"},
      {{"rl.samples_per_prompt=1", "rl.objective=\"own.mlir\"",
        "rl.filter_equal_rewards=false"},
       nullptr},
      {{"rl.samples_per_prompt=1"}, nullptr, true},
      {{"rl.samples_per_prompt=2"}, nullptr},
      {{"rollout.temperature=0"},
       "rollout.temperature: 0 makes all samples of a prompt equal"},
      {{"rollout.temperature=0"}, nullptr, true},
      {{"rollout.top_k=1"},
       "rollout.top_k: 1 makes all samples of a prompt equal"},
      {{"rollout.min_p=1"},
       "rollout.min_p: 1 makes all samples of a prompt equal"},
      {{"rl.mask_truncated=true", "rollout.max_new_tokens=1"},
       "rl.mask_truncated: with rollout.max_new_tokens = 1"},
      {{"rl.mask_truncated=true", "rollout.max_new_tokens=2"}, nullptr},
      {{"train.learning_rate=0"}, "train.learning_rate: 0 changes no weight"},
      {{"train.learning_rate=1e-60"},
       "train.learning_rate: 1e-60 changes no weight",
       true},
      {{"train.clip_norm=1e-60"},
       "train.clip_norm: 1e-60 leaves nothing of a gradient"},
      {{"train.clip_norm=0"}, nullptr},
      {{"rl.steps=0"}, "rl.steps: 0 steps train nothing"},
      {{"rl.steps=0"}, nullptr, true},
      {{"sft.steps=0"}, "sft.steps: 0 steps train nothing", true},
      {{"sft.until_reward=0.5", "eval.every=0"},
       "sft.until_reward: no reward ends the run",
       true},
      {{"rl.until_reward=0.5", "eval.every=0"},
       "rl.until_reward: no reward ends the run"},
      {{"rl.until_reward=0.5", "eval.every=0"}, nullptr, true},
      {{"sft.steps=0"}, nullptr},
      {{"rl.negative_weight=0", "rl.clip_low=0", "rl.clip_high=0"}, nullptr},
  };
  for (const Case &test : cases) {
    auto config = parseConfig("", "run.toml", test.set);
    ASSERT_TRUE(config.isOk()) << config.status().message();
    Status status = checkCanLearn(*config, test.supervised);
    std::string what = test.set.empty() ? "defaults" : test.set.front();
    EXPECT_EQ(status.code(), test.says ? Code::kUsage : Code::kOk)
        << what << ": " << status.message();
    if (test.says)
      EXPECT_THAT(status.message(), HasSubstr(test.says));
  }
  std::printf("%zu configurations\n", std::size(cases));
}

TEST(Config, AnObjectiveIsBuiltInOrAFile) {
  EXPECT_THAT(problemOf("[rl]\nobjective = \"dpo\"\n").message(),
              HasSubstr("rl.objective: 'dpo' is neither " +
                        objectiveNames(" nor ", " nor ", "advantage") +
                        " nor the path of an .mlir file"));
  EXPECT_THAT(problemOf("[rl]\nobjective = \"sft\"\n").message(),
              HasSubstr("rl.objective: 'sft' is neither grpo"))
      << "it has no advantages to learn from";
  for (const char *option :
       {"margin", "=1", "margin=", "margin=x", "margin=1 ", "margin=inf"})
    EXPECT_THAT(problemOf(std::string("[rl]\nobjective_options = [\"") +
                          option + "\"]\n")
                    .message(),
                HasSubstr("is not name=number"));
  auto config = parseConfig(
      "[rl]\nobjective = \"own.mlir\"\nobjective_options = [\"margin=0.5\"]\n",
      "run.toml");
  ASSERT_TRUE(config.isOk()) << config.status().message();
  EXPECT_EQ(objectiveConstants(config->rl),
            (std::map<std::string, double>{{"margin", 0.5}}));
  config->rl.objective = "reinforce";
  EXPECT_EQ(objectiveConstants(config->rl),
            (std::map<std::string, double>{{"entropy", 0}, {"margin", 0.5}}));
}

// Keys, defaults and ranges are those that the objectives declare.
TEST(Config, OptionsAreTheObjectivesOwn) {
  auto constantsOf = [](const char *text, std::vector<std::string> set = {}) {
    auto config = parseConfig(text, "run.toml", set);
    EXPECT_TRUE(config.isOk()) << config.status().message();
    return config.isOk() ? objectiveConstants(config->rl)
                         : std::map<std::string, double>();
  };
  using Constants = std::map<std::string, double>;
  EXPECT_EQ(constantsOf(""), (Constants{{"clip_low", 0.2},
                                        {"clip_high", 0.2},
                                        {"dual_clip", 0},
                                        {"kl", 0},
                                        {"entropy", 0}}));
  EXPECT_EQ(constantsOf("[rl]\nkl_coefficient = 0.5\n").at("kl"), 0.5);
  EXPECT_EQ(constantsOf("[rl]\nobjective = \"gspo\"\n"),
            (Constants{{"clip_low", 3e-4}, {"clip_high", 4e-4}}));
  // A value that was set stays, in whichever order the values are set.
  EXPECT_EQ(constantsOf("[rl]\nclip_low = 0.2\n", {"rl.objective=\"gspo\""}),
            (Constants{{"clip_low", 0.2}, {"clip_high", 4e-4}}));
  EXPECT_THAT(problemOf("[rl]\nobjective = \"gspo\"\nclip_low = 2\n").message(),
              HasSubstr("rl.clip_low: must be a number in 0 .. 1"));
  // An option of another objective would have no effect.
  EXPECT_THAT(
      problemOf("[rl]\nobjective = \"gspo\"\nkl_coefficient = 0.1\n").message(),
      HasSubstr("run.toml: rl.kl_coefficient: 0.1 has no effect on objective "
                "gspo, whose options are clip_low, clip_high; remove it or "
                "choose another rl.objective"));
  EXPECT_THAT(
      problemOf("[rl]\nobjective = \"reinforce\"\nclip_high = 0.3\n").message(),
      HasSubstr("rl.clip_high: 0.3 has no effect on objective reinforce"));
  for (const char *objective : {"grpo", "gspo", "reinforce", "own.mlir"}) {
    auto config = parseConfig("", "run.toml",
                              std::vector<std::string>{fmt::format(
                                  "rl.objective=\"{}\"", objective)});
    ASSERT_TRUE(config.isOk()) << config.status().message();
    EXPECT_FALSE(config->rl.usesReference());
    // The canonical text with every key is the same configuration.
    std::string toml;
    Json json = toJson(*config);
    for (const auto &[section, values] : json.items()) {
      toml += "[" + section + "]\n";
      for (const auto &[key, value] : values.items())
        toml += key + " = " + value.dump() + "\n";
    }
    auto again = parseConfig(toml, "printed");
    ASSERT_TRUE(again.isOk()) << again.status().message();
    EXPECT_EQ(toJson(*again), json) << objective;
    EXPECT_EQ(objectiveConstants(again->rl), objectiveConstants(config->rl));
  }
}

} // namespace
