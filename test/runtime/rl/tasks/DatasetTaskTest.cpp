// The task of a prompt file: its splits, order, rewards and refusals.
#include "runtime/core/file.h"
#include "runtime/rl/environment.h"
#include "runtime/rl/tasks/dataset_task.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/rl/fake_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

std::string rowsOf(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i)
    text += "{\"prompt\":\"What is " + std::to_string(i) +
            "?\",\"answer\":" + std::to_string(2 * i) + "}\n";
  return text;
}

class DatasetTaskTest : public testing::Test {
protected:
  std::filesystem::path write(const char *name, std::string_view content) {
    EXPECT_TRUE(writeFileAtomically(folder_ / name, content).isOk());
    return folder_ / name;
  }
  std::unique_ptr<DatasetTask> load(const DatasetTaskOptions &options) {
    auto task = DatasetTask::load(options);
    EXPECT_TRUE(task.isOk()) << task.status().message();
    return task.isOk() ? *std::move(task) : nullptr;
  }
  TemporaryFolder folder_;
};

std::vector<std::string> promptsOf(const Task &task, Split split,
                                   uint64_t begin, uint64_t end) {
  std::vector<std::string> prompts;
  for (uint64_t i = begin; i < end; ++i)
    prompts.push_back(task.problem(split, i).prompt);
  return prompts;
}

TEST_F(DatasetTaskTest, HoldsOutByContentAndTakesEveryRowOnceInAnEpoch) {
  DatasetTaskOptions options{
      .path = write("all.jsonl", rowsOf(0, 400)), .seed = 3, .heldOutOneIn = 4};
  auto task = load(options);
  ASSERT_TRUE(task);
  uint64_t training = *task->count(Split::kTrain);
  uint64_t heldOut = *task->count(Split::kHeldOut);
  std::printf("%s\n", task->summary().c_str());
  EXPECT_EQ(training + heldOut, 400u);
  EXPECT_NEAR(static_cast<double>(heldOut), 100.0, 30.0);
  EXPECT_THAT(task->summary(),
              HasSubstr("400 prompts, " + std::to_string(heldOut) +
                        " of them held out"));
  auto first = promptsOf(*task, Split::kTrain, 0, training);
  auto second = promptsOf(*task, Split::kTrain, training, 2 * training);
  auto held = promptsOf(*task, Split::kHeldOut, 0, heldOut);
  std::set<std::string> all(first.begin(), first.end());
  EXPECT_EQ(all.size(), training);
  EXPECT_EQ(std::set(second.begin(), second.end()), all);
  EXPECT_NE(first, second);
  all.insert(held.begin(), held.end());
  EXPECT_EQ(all.size(), 400u);
  // Starts over.
  EXPECT_EQ(task->problem(Split::kHeldOut, heldOut).prompt, held[0]);

  // Added or removed rows move no other row to the other split. Another seed
  // changes only the order of training.
  auto fewer = load({.path = write("fewer.jsonl", rowsOf(100, 200)),
                     .seed = 4,
                     .heldOutOneIn = 4});
  ASSERT_TRUE(fewer);
  std::set<std::string> heldBefore(held.begin(), held.end());
  for (const std::string &prompt :
       promptsOf(*fewer, Split::kHeldOut, 0, *fewer->count(Split::kHeldOut)))
    EXPECT_TRUE(heldBefore.contains(prompt)) << prompt;
  for (const std::string &prompt :
       promptsOf(*fewer, Split::kTrain, 0, *fewer->count(Split::kTrain)))
    EXPECT_FALSE(heldBefore.contains(prompt)) << prompt;
  options.seed = 4;
  auto shuffled = load(options);
  EXPECT_NE(promptsOf(*shuffled, Split::kTrain, 0, training), first);
  EXPECT_EQ(promptsOf(*shuffled, Split::kHeldOut, 0, heldOut), held);
  EXPECT_EQ(shuffled->fingerprint(), task->fingerprint());
  EXPECT_NE(fewer->fingerprint(), task->fingerprint());
}

TEST_F(DatasetTaskTest, AFileOfItsOwnIsHeldOutAndNeverTrainedOn) {
  auto task = load({.path = write("train.jsonl", rowsOf(0, 50)),
                    .heldOutPath = write("test.jsonl", rowsOf(45, 10))});
  ASSERT_TRUE(task);
  EXPECT_EQ(*task->count(Split::kTrain), 45u);
  EXPECT_EQ(*task->count(Split::kHeldOut), 10u);
  EXPECT_THAT(task->summary(),
              HasSubstr("5 left out of training because they are held out"));
  auto training = promptsOf(*task, Split::kTrain, 0, 45);
  for (int i = 45; i < 55; ++i) {
    std::string prompt = "What is " + std::to_string(i) + "?";
    EXPECT_EQ(task->problem(Split::kHeldOut, i - 45).prompt, prompt);
    EXPECT_EQ(std::ranges::count(training, prompt), 0);
  }
  auto all = DatasetTask::load({.path = folder_ / "train.jsonl",
                                .heldOutPath = folder_ / "train.jsonl"});
  EXPECT_EQ(all.status().code(), Code::kBadInput);
  EXPECT_THAT(all.status().message(), HasSubstr("nothing is left to train on"));
}

TEST_F(DatasetTaskTest, NoRowIsHeldOutWhereNothingIsEvaluated) {
  auto all = write("all.jsonl", rowsOf(0, 40));
  auto task = load({.path = all, .heldOutOneIn = 2, .isEvaluated = false});
  ASSERT_TRUE(task);
  EXPECT_EQ(*task->count(Split::kTrain), 40u);
  EXPECT_EQ(*task->count(Split::kHeldOut), 0u);
  EXPECT_THAT(task->summary(), testing::Not(HasSubstr("held out")));
  // One row is enough for training. A file of held-out rows is still kept out
  // of training.
  EXPECT_EQ(
      *load({.path = write("one.jsonl", rowsOf(0, 1)), .isEvaluated = false})
           ->count(Split::kTrain),
      1u);
  task = load({.path = all,
               .heldOutPath = write("held.jsonl", rowsOf(0, 3)),
               .isEvaluated = false});
  EXPECT_EQ(*task->count(Split::kTrain), 37u);

  Config config;
  config.task.name = "jsonl";
  config.task.path =
      write("letters.jsonl", "{\"prompt\":\"a\",\"answer\":\"h\"}\n");
  config.eval.every = 0;
  LetterCodec codec;
  auto made = createTask(config, codec, 1000, {});
  ASSERT_TRUE(made.isOk()) << made.status().message();
  EXPECT_EQ(*(*made)->count(Split::kTrain), 1u);
  config.eval.every = 1;
  EXPECT_THAT(createTask(config, codec, 1000, {}).status().message(),
              HasSubstr("nothing is left to hold out"));
}

TEST_F(DatasetTaskTest, TheAnswerIsTheReward) {
  auto task =
      load({.path = write("a.jsonl",
                          rowsOf(0, 40) +
                              "{\"prompt\":\"blank\",\"answer\":\" a b \"}\n"),
            .heldOutPath = write("b.jsonl", rowsOf(40, 1)),
            .promptPrefix = "Q: ",
            .promptSuffix = " A:"});
  ASSERT_TRUE(task);
  for (uint64_t i = 0; i < 41; ++i) {
    Problem problem = task->problem(Split::kTrain, i);
    EXPECT_TRUE(problem.prompt.starts_with("Q: ") &&
                problem.prompt.ends_with(" A:"))
        << problem.prompt;
    EXPECT_EQ(task->reward(problem, problem.reference), 1.0);
    EXPECT_EQ(task->reward(problem, "\n " + problem.reference + " "), 1.0);
    EXPECT_EQ(task->reward(problem, problem.reference + "0"), 0.0);
    EXPECT_EQ(task->reward(problem, ""), 0.0);
    if (problem.prompt == "Q: blank A:") {
      EXPECT_EQ(task->reward(problem, "a b"), 1.0);
      EXPECT_EQ(task->reward(problem, "ab"), 0.0);
    }
  }
}

TEST_F(DatasetTaskTest, PassesOnWhatIsWrongWithAFile) {
  auto problemOf = [&](const DatasetTaskOptions &options) {
    auto task = DatasetTask::load(options);
    EXPECT_EQ(task.status().code(), Code::kBadInput);
    return task.status().message();
  };
  auto good = write("good.jsonl", rowsOf(0, 20));
  EXPECT_THAT(
      problemOf({.path = write("cut.jsonl",
                               rowsOf(0, 20) + "{\"prompt\":\"p\",\"ans")}),
      HasSubstr("cut.jsonl:21"));
  EXPECT_THAT(problemOf({.path = write("empty.jsonl", "")}),
              HasSubstr("empty.jsonl: 0 prompts"));
  EXPECT_THAT(problemOf({.path = good,
                         .heldOutPath =
                             write("mark.jsonl", rowsOf(0, 1) + "\xEF\xBB\xBF" +
                                                     rowsOf(1, 1))}),
              HasSubstr("mark.jsonl:2"));
  EXPECT_THAT(problemOf({.path = good, .data = {.promptField = "question"}}),
              HasSubstr("\"question\" is missing"));
  EXPECT_THAT(problemOf({.path = write("one.jsonl", rowsOf(0, 1))}),
              HasSubstr("nothing is left to hold out"));
  // A byte order mark at the start is no error.
  EXPECT_EQ(*load({.path = write("bom.jsonl", "\xEF\xBB\xBF" + rowsOf(0, 20)),
                   .heldOutPath = write("h.jsonl", rowsOf(20, 3))})
                 ->count(Split::kTrain),
            20u);
}

// As in a configuration with a tokenizer for which one letter is one token.
TEST_F(DatasetTaskTest, LeavesOutPromptsThatLeaveNoRoomForAResponse) {
  Config config;
  config.task.name = "jsonl";
  config.task.path = write("letters.jsonl", R"({"prompt":"abc","answer":"h"}
{"prompt":"abcdef","answer":"i"}
{"prompt":"abcdefg","answer":"j"}
)");
  config.task.heldOutPath =
      write("held.jsonl", "{\"prompt\":\"a\",\"answer\":\"h\"}\n");
  config.task.promptPrefix = "bb";
  config.rollout.sampling.maxNewTokens = 4;
  LetterCodec codec;
  std::string said;
  auto say = [&](const std::string &line) { said += line; };
  auto task = createTask(config, codec, 12, say);
  ASSERT_TRUE(task.isOk()) << task.status().message();
  EXPECT_EQ(*(*task)->count(Split::kTrain), 2u); // 2 + 6 + 4 tokens just fit
  EXPECT_THAT(said, HasSubstr("letters.jsonl: 2 prompts, 1 left out as longer "
                              "than 8 tokens (longest 9)"));
  EXPECT_EQ((*task)->problem(Split::kHeldOut, 0).prompt, "bba");
  EXPECT_THAT(createTask(config, codec, 6, say).status().message(),
              HasSubstr("0 prompts, 3 left out"));
  EXPECT_EQ(createTask(config, codec, 4, say).status().code(), Code::kUsage);
}

// Supervised training trains on answers, so they count. The end of a text is
// one more token.
TEST_F(DatasetTaskTest, LeavesOutRowsThatAreTooLongWithTheirAnswers) {
  Config config;
  config.task.name = "jsonl";
  config.task.path = write("letters.jsonl", R"({"prompt":"abc","answer":"h"}
{"prompt":"abc","answer":"hijklm"}
{"prompt":"abc","answer":"hijklmn"}
{"prompt":"abcd","answer":"hijklmn"}
)");
  config.task.heldOutPath =
      write("held.jsonl", "{\"prompt\":\"a\",\"answer\":\"hijklmnhijklmn\"}\n");
  config.task.promptPrefix = "bb";
  config.rollout.sampling.maxNewTokens = 4;
  LetterCodec codec;
  std::string said;
  auto create = [&](int64_t context, bool supervised) {
    said.clear();
    return createTask(
        config, codec, context, [&](const std::string &line) { said += line; },
        supervised);
  };
  auto kept = [&](int64_t context, bool supervised) {
    auto task = create(context, supervised);
    EXPECT_TRUE(task.isOk()) << task.status().message();
    // Its answer is not trained on.
    EXPECT_EQ((*task)->problem(Split::kHeldOut, 0).prompt, "bba");
    return *(*task)->count(Split::kTrain);
  };
  EXPECT_EQ(kept(12, true), 2u); // 2 + 3 + 6 + 1 tokens just fit
  EXPECT_THAT(said, HasSubstr("4 prompts; held out: "));
  EXPECT_THAT(said, HasSubstr("; 2 left out of training as longer than 12 "
                              "tokens with their answers (longest 14; the "
                              "context of the model)"));
  config.model.contextLength = 13;
  EXPECT_EQ(kept(13, true), 3u);
  EXPECT_THAT(said, HasSubstr("; 1 left out of training as longer than 13 "
                              "tokens with their answers (longest 14; "
                              "model.context_length = 13)"));
  EXPECT_EQ(kept(14, true), 4u);
  EXPECT_THAT(said, testing::Not(HasSubstr("left out")));
  // A call reads all tokens except the last.
  config.train.maxTokens = 11;
  EXPECT_EQ(kept(100, true), 2u);
  EXPECT_THAT(said, HasSubstr("as longer than 12 tokens with their answers "
                              "(longest 14; train.max_tokens = 11)"));
  config.train.maxTokens = 5;
  auto none = create(100, true);
  EXPECT_EQ(none.status().code(), Code::kBadInput);
  EXPECT_THAT(none.status().message(),
              HasSubstr("4 left out of training as longer than 6 tokens with "
                        "their answers (longest 14; "
                        "train.max_tokens = 5): nothing is left to train on; "
                        "raise the limit"));
  // Reinforcement learning trains on its own samples.
  EXPECT_EQ(kept(100, false), 4u);
}

// A number written out in full may be far longer than in the file.
TEST_F(DatasetTaskTest, SaysThatANumberIsWhatMakesARowTooLong) {
  Config config;
  config.task.name = "jsonl";
  config.task.heldOutPath =
      write("held.jsonl", "{\"prompt\":\"a\",\"answer\":\"b\"}\n");
  config.rollout.sampling.maxNewTokens = 1;
  LetterCodec codec;
  auto said = [&](const std::string &rows) {
    config.task.path = write("numbers.jsonl", rows);
    std::string lines;
    auto task = createTask(
        config, codec, 300, [&](const std::string &line) { lines += line; },
        true);
    EXPECT_TRUE(task.isOk()) << task.status().message();
    return lines;
  };
  std::string good = "{\"prompt\":\"b\",\"answer\":1e3}\n";
  EXPECT_THAT(said(good + "{\"prompt\":\"c\",\"answer\":1e400}\n"),
              HasSubstr("; 1 left out of training as longer than 300 tokens "
                        "with their answers (longest 403; the context of the "
                        "model); the answer of line 2 is the number 1e400, "
                        "which is 401 characters written out: put the text "
                        "that is wanted in quotes"));
  // This is not reported when the prompt or a text makes the row too long.
  EXPECT_THAT(said(good + "{\"prompt\":\"" + std::string(30, 'c') +
                   "\",\"answer\":\"" + std::string(300, 'd') +
                   "\"}\n{\"prompt\":\"" + std::string(298, 'e') +
                   "\",\"answer\":1e3}\n"),
              testing::AllOf(HasSubstr("; 2 left out of training"),
                             testing::Not(HasSubstr("the number"))));
}

// A loop on a file evaluates each held-out problem once, and does not continue
// with other prompts.
TEST_F(DatasetTaskTest, ARunGoesOnOnlyWithThePromptsItBeganWith) {
  auto rows = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += std::string("{\"prompt\":\"") + static_cast<char>('a' + i % 7) +
              static_cast<char>('a' + i / 7) + "\",\"answer\":\"" +
              static_cast<char>('h' + i / 7) + "\"}\n";
    return text;
  };
  DatasetTaskOptions options{.path = write("rows.jsonl", rows(49)),
                             .heldOutOneIn = 3};
  Config config = letterConfig(folder_ / "out");
  config.rl.steps = 4;
  config.run.checkpointEvery = 2;
  auto run = [&](std::unique_ptr<DatasetTask> task, int stopAfter) {
    FakeWorld world(config);
    world.parts.environment.task = task.get();
    int asked = 0;
    return world.grpo({.progress = {},
                       .warn = {},
                       .stop = [&] { return ++asked > stopAfter; }},
                      true);
  };
  EXPECT_EQ(run(load(options), 30).code(), Code::kInterrupted);
  write("rows.jsonl", rows(48));
  Status status = run(load(options), 1 << 30);
  EXPECT_EQ(status.code(), Code::kUsage);
  EXPECT_THAT(
      status.message(),
      HasSubstr("the prompts are others than those the run began with"));
  write("rows.jsonl", rows(49));
  status = run(load(options), 1 << 30);
  EXPECT_TRUE(status.isOk()) << status.message();
}

TEST_F(DatasetTaskTest, EvaluationCountsNoProblemTwice) {
  Config config = letterConfig(folder_ / "out");
  config.eval.problems = 1000;
  auto task = load(
      {.path = write("t.jsonl", "{\"prompt\":\"a\",\"answer\":\"h\"}\n"),
       .heldOutPath = write("h.jsonl", "{\"prompt\":\"b\",\"answer\":\"i\"}\n{"
                                       "\"prompt\":\"c\",\"answer\":\"\"}\n")});
  FakeWorld world(config);
  world.parts.environment.task = task.get();
  auto evaluation = evaluateHeldOut(config, world.parts.environment,
                                    *world.parts.rollout, 0, 0, {});
  ASSERT_TRUE(evaluation.isOk()) << evaluation.status().message();
  EXPECT_EQ(evaluation->problems, 2);
}

TEST(DatasetConfig, SaysWhatDoesNotFitTogether) {
  auto problemOf = [](std::string_view text) {
    auto config = parseConfig(text, "run.toml");
    return config.isOk() ? std::string("ok") : config.status().message();
  };
  EXPECT_EQ(problemOf("[task]\nname = \"jsonl\"\npath = \"x\"\n"), "ok");
  EXPECT_THAT(problemOf("[task]\nname = \"jsonl\"\n"), HasSubstr("task.path"));
  EXPECT_THAT(problemOf("[task]\nname = \"sort\"\npath = \"x\"\n"),
              HasSubstr("only name \"jsonl\" reads a file"));
  EXPECT_THAT(
      problemOf(
          "[task]\nname = \"jsonl\"\npath = \"x\"\nprompt_field = \"\"\n"),
      HasSubstr("task.prompt_field"));
  EXPECT_THAT(
      problemOf(
          "[task]\nname = \"jsonl\"\npath = \"x\"\nanswer_field = \"\"\n"),
      HasSubstr("task.answer_field"));
  EXPECT_EQ(problemOf("[task]\nname = \"jsonl\"\npath = \"x\"\nanswer_field = "
                      "\"\"\n[reward]\ncommand = [\"r\"]\n"),
            "ok");
}

} // namespace
