// The properties that a resumed run must share with the run that began, and
// those that may change.
#include "runtime/core/file.h"
#include "runtime/rl/config/run_identity.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

Config configOf(const std::vector<std::string> &set) {
  auto config = parseConfig("", "run.toml", set);
  EXPECT_TRUE(config.isOk()) << config.status().message();
  return config.isOk() ? *config : Config();
}

// The identity after it was written to a checkpoint and read back.
RunIdentity saved(const RunIdentity &identity) {
  auto read = [](const Json &json) {
    return *parseJson(toText(json), "state.json");
  };
  return {read(identity.config), read(identity.contents), identity.legacyHash};
}

std::vector<std::string> changes(const std::vector<std::string> &began,
                                 const std::vector<std::string> &now,
                                 bool supervised = false) {
  return differences(saved(identityOf(configOf(began), supervised)),
                     identityOf(configOf(now), supervised));
}

TEST(RunIdentity, NamesEveryKeyWithItsOldAndItsNewValue) {
  EXPECT_THAT(changes({}, {}), IsEmpty());
  EXPECT_THAT(changes({}, {"rl.clip_low=0.1"}),
              ElementsAre("rl.clip_low was 0.2, is 0.1"));
  EXPECT_THAT(changes({"run.seed=3"},
                      {"quantize.train=\"fp8\"", "quantize.include=[\"mlp\"]"}),
              ElementsAre("quantize.include was [], is [\"mlp\"]",
                          "quantize.train was \"int4\", is \"fp8\"",
                          "run.seed was 3, is 0"));
  EXPECT_THAT(changes({}, {"run.target=\"cuda\""}),
              ElementsAre("run.target was \"host\", is \"cuda\""));
  EXPECT_THAT(changes({}, {"eval.every=0"}),
              ElementsAre("eval.every was 10, is 0"));
  EXPECT_THAT(changes({}, {"train.learning_rate=1e-3"}),
              ElementsAre("train.learning_rate was 0.0001, is 0.001"));
}

TEST(RunIdentity, WhatChangesNoStepMayDiffer) {
  for (const char *set :
       {"run.out=\"elsewhere\"", "run.threads=3", "run.checkpoint_every=1",
        "run.keep_checkpoints=5", "rollout.max_tokens_per_call=7",
        "rollout.max_running=3", "rollout.cache_megabytes=9",
        "train.max_tokens=5", "train.max_steps_without_update=2",
        "quantize.strict=true", "reward.workers=4",
        "reward.time_limit_seconds=60", "rl.until_reward=0.5", "rl.steps=200",
        "sft.steps=7", "sft.sequences_per_step=2"})
    EXPECT_THAT(changes({}, {set}), IsEmpty()) << set;
  for (const char *set : {"sft.steps=7", "sft.until_reward=0.5",
                          "rl.clip_low=0.1", "rollout.temperature=0.7"})
    EXPECT_THAT(changes({}, {set}, /*supervised=*/true), IsEmpty()) << set;
  EXPECT_THAT(changes({}, {"sft.sequences_per_step=2"}, true),
              ElementsAre("sft.sequences_per_step was 32, is 2"));
  EXPECT_THAT(changes({"eval.every=0"}, {"eval.every=0", "eval.problems=3"}),
              IsEmpty());
  EXPECT_THAT(changes({}, {"eval.problems=3"}),
              ElementsAre("eval.problems was 128, is 3"));
  // The source of the rows; the loop compares the rows themselves.
  EXPECT_THAT(
      changes({"task={name=\"jsonl\", path=\"a\"}"},
              {"task={name=\"jsonl\", path=\"b\", prompt_field=\"q\"}"}),
      IsEmpty());
}

TEST(RunIdentity, SomeKeysCountOnlyBesideOthers) {
  EXPECT_THAT(changes({"train.schedule=\"linear\""},
                      {"train.schedule=\"linear\"", "rl.steps=200"}),
              ElementsAre("rl.steps was 100, is 200 (train.schedule \"linear\" "
                          "ends at the last step)"));
  EXPECT_THAT(changes({"train.schedule=\"cosine\""},
                      {"train.schedule=\"cosine\"", "sft.steps=200"}, true),
              ElementsAre("sft.steps was 100, is 200 (train.schedule "
                          "\"cosine\" ends at the last step)"));
  EXPECT_THAT(changes({}, {"train.schedule=\"linear\"", "rl.steps=200"}),
              ElementsAre("train.schedule was \"constant\", is \"linear\""));
  EXPECT_THAT(changes({"run.target=\"simt\""},
                      {"run.target=\"simt\"", "train.max_tokens=5"}),
              ElementsAre("train.max_tokens was 2048, is 5 (on a device it "
                          "shows in the last bits of weight gradients)"));
}

// A key that a later version adds does not invalidate the runs of an earlier
// one.
TEST(RunIdentity, AKeyThatIsNewHadItsDefault) {
  RunIdentity began = identityOf(Config(), false);
  began.config["rl"].erase("dual_clip");
  began.config["rl"]["gone"] = 3;
  EXPECT_THAT(differences(began, identityOf(Config(), false)), IsEmpty());
  EXPECT_THAT(
      differences(began, identityOf(configOf({"rl.dual_clip=3"}), false)),
      ElementsAre("rl.dual_clip was 0.0, is 3.0"));
}

TEST(RunIdentity, AFileMayMove) {
  test::TemporaryFolder folder;
  auto write = [&](const std::string &name, std::string_view text) {
    EXPECT_TRUE(makeFolders((folder / name).parent_path()).isOk());
    EXPECT_TRUE(writeFileAtomically(folder / name, text).isOk());
  };
  auto identity = [&](const std::string &model, const std::string &objective,
                      const std::string &reward) {
    Config config;
    config.model.path = (folder / model).string();
    config.rl.objective = (folder / objective).string();
    config.reward.command = {"python3", (folder / reward).string()};
    return saved(identityOf(config, false));
  };
  for (const char *model : {"a", "b", "c"}) {
    write(std::string(model) + "/config.json", "{}");
    write(std::string(model) + "/model.safetensors",
          model[0] == 'c' ? "other weights" : "weights");
  }
  for (const char *name : {"a.mlir", "b.mlir", "a.py", "b.py"})
    write(name, "the same");
  write("c.mlir", "another");
  write("c.py", "another");
  RunIdentity began = identity("a", "a.mlir", "a.py");
  EXPECT_THAT(differences(began, identity("b", "b.mlir", "b.py")), IsEmpty());
  auto moved = differences(began, identity("c", "c.mlir", "c.py"));
  ASSERT_EQ(moved.size(), 3u);
  auto path = [&](const char *name) { return (folder / name).string(); };
  EXPECT_EQ(moved[0],
            "model.path was \"" + path("a") + "\", is \"" + path("c") + "\"");
  EXPECT_EQ(moved[1], "reward.command was [\"python3\",\"" + path("a.py") +
                          "\"], is [\"python3\",\"" + path("c.py") + "\"]");
  EXPECT_EQ(moved[2], "rl.objective was \"" + path("a.mlir") + "\", is \"" +
                          path("c.mlir") + "\"");
  // An edited objective is another one. A reward program that was repaired in
  // place is the same.
  write("a.mlir", "edited");
  write("a.py", "mended");
  auto edited = differences(began, identity("a", "a.mlir", "a.py"));
  EXPECT_THAT(
      edited,
      ElementsAre("rl.objective: the content of \"" + path("a.mlir") +
                  "\" has changed since the run began (put back what it was)"));
  // A model is another one when its weights or its tokenizer were replaced in
  // place, but not when it was written again.
  write("a.mlir", "the same");
  for (const char *file :
       {"a/model.safetensors", "a/config.json", "a/tokenizer.json"}) {
    auto before = readFile(folder / file);
    write(file, "another");
    EXPECT_THAT(
        differences(began, identity("a", "a.mlir", "a.py")),
        ElementsAre(
            "model.path: the content of \"" + path("a") +
            "\" has changed since the run began (put back what it was)"))
        << file;
    // Equal content at another place is the same.
    EXPECT_THAT(differences(began, identity("b", "a.mlir", "a.py")), IsEmpty());
    if (before.isOk())
      write(file, *before);
    else
      std::filesystem::remove(folder / file);
    EXPECT_THAT(differences(began, identity("a", "a.mlir", "a.py")), IsEmpty())
        << file;
  }
}

TEST(RunIdentity, TheHashOfOlderCheckpointsTellsRunsApart) {
  auto hash = [](const std::vector<std::string> &set) {
    return identityOf(configOf(set), false).legacyHash;
  };
  std::string began = hash({});
  EXPECT_EQ(hash({"run.out=\"x\"", "run.threads=2", "rollout.max_running=3",
                  "train.max_tokens=5"}),
            began);
  EXPECT_EQ(hash({"train.max_steps_without_update=3"}), began);
  EXPECT_EQ(hash({"quantize.strict=true"}), began);
  EXPECT_NE(hash({"rl.clip_high=0.28"}), began);
  // The hash that an older version wrote for the defaults.
  EXPECT_EQ(began, "0f9f6ac2e1ab7d7fa01270b46dfd8dc2");
  EXPECT_NE(hash({"run.target=\"cuda\"", "train.max_tokens=5"}),
            hash({"run.target=\"cuda\""}));
}

} // namespace
