// Prompt files: errors name their line, and rows that are left out are counted.
#include "runtime/core/file.h"
#include "runtime/rl/tasks/prompt_dataset.h"
#include "test/runtime/core/temporary_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace nibble {
namespace {

class PromptData : public testing::Test {
protected:
  Result<PromptDataset> load(std::string_view content,
                             const DataOptions &options = {},
                             const PromptDataset::CountTokens &count = {}) {
    EXPECT_TRUE(writeFileAtomically(path_, content).isOk());
    return PromptDataset::load(path_, options, count);
  }
  void expectBad(std::string_view content, const std::string &reason,
                 const DataOptions &options = {}) {
    Result<PromptDataset> data = load(content, options);
    ASSERT_FALSE(data.isOk()) << content;
    EXPECT_EQ(data.status().code(), Code::kBadInput);
    EXPECT_NE(data.status().message().find(reason), std::string::npos)
        << data.status().message();
    EXPECT_EQ(data.status().message().find('\n'), std::string::npos);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "data.jsonl";
};

TEST_F(PromptData, ReadsRows) {
  Result<PromptDataset> data = load(
      "\xEF\xBB\xBF{\"prompt\":\"a\\nb\",\"answer\":\"x\",\"more\":[1]}\r\n\n"
      "  \n{\"answer\":19,\"prompt\":\"\u00E9\"}");
  ASSERT_TRUE(data.isOk()) << data.status().message();
  ASSERT_EQ(data->size(), 2);
  EXPECT_EQ((*data)[0].prompt, "a\nb");
  EXPECT_EQ((*data)[0].reference, "x");
  EXPECT_EQ((*data)[1].prompt, "\u00E9");
  EXPECT_EQ((*data)[1].reference, "19");
  EXPECT_EQ((*data)[1].line, 4);

  DataOptions options;
  options.promptField = "question";
  options.referenceField = "";
  data = load("{\"question\":\"q\"}\n", options);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  EXPECT_EQ((*data)[0].prompt, "q");
}

TEST_F(PromptData, NamesTheLineThatIsWrong) {
  std::string good = "{\"prompt\":\"p\",\"answer\":\"a\"}\n";
  expectBad("", "0 prompts");
  expectBad("\n\n", "0 prompts");
  expectBad(good + "{\"prompt\":\"p\",\"ans", "data.jsonl:2");
  expectBad(good + good + "[1]\n", "data.jsonl:3");
  expectBad(good + "{\"text\":\"p\"}\n", "\"prompt\" is missing");
  expectBad(good + "{\"prompt\":5,\"answer\":\"a\"}\n", "data.jsonl:2");
  expectBad(good + "{\"prompt\":\"p\"}\n", "\"answer\" is missing");
  expectBad(good + "{\"prompt\":\"p\",\"answer\":[]}\n", "\"answer\"");
  expectBad(good + "{\"prompt\":\"\",\"answer\":\"a\"}\n", "is empty");
  expectBad(good + "{\"prompt\":\"p\",\"prompt\":\"q\",\"answer\":\"a\"}\n",
            "twice");
  expectBad(good + "{\"prompt\":\"\xFF\",\"answer\":\"a\"}\n", "UTF-8");
  expectBad(good + "\xEF\xBB\xBF" + good, "data.jsonl:2");
  expectBad(good + std::string(100000, '[') + "\n", "data.jsonl:2");
  EXPECT_FALSE(PromptDataset::load(folder_.path() / "nothing", {}).isOk());
  EXPECT_FALSE(PromptDataset::load(folder_.path(), {}).isOk());
}

// A number becomes its plain decimal without losing a digit.
TEST_F(PromptData, ANumberThatIsAnAnswerKeepsItsValue) {
  const std::pair<const char *, const char *> cases[] = {
      {"5.0", "5"},
      {"19", "19"},
      {"-0.0", "0"},
      {"0.10", "0.1"},
      {"1e3", "1000"},
      {"\"5.0\"", "5.0"},
      {"\"\"", ""},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"-98765432109876543210.5", "-98765432109876543210.5"}};
  std::string content;
  for (const auto &[number, text] : cases)
    content += std::string("{\"prompt\":\"p\",\"answer\":") + number + "}\n";
  Result<PromptDataset> data = load(content);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  for (size_t i = 0; i < std::size(cases); ++i)
    EXPECT_EQ((*data)[i].reference, cases[i].second) << cases[i].first;
  expectBad("{\"prompt\":\"p\",\"answer\":05}\n",
            "data.jsonl:1: a number that JSON does not write so");
  for (const char *number : {"NaN", "Infinity", "-Infinity", "5."})
    expectBad(std::string("{\"prompt\":\"p\",\"answer\":") + number + "}\n",
              "data.jsonl:1: byte");
  expectBad("{\"prompt\":\"p\",\"answer\":1e99999}\n",
            "\"answer\" is the number 1e99999, too long to write out");
  expectBad("{\"prompt\":\"p\",\"answer\":true}\n",
            "\"answer\" is true, not a text or a number; write it in quotes");
  expectBad("{\"prompt\":\"p\",\"answer\":null}\n",
            "\"answer\" is null, not a text or a number; give it a value");
  expectBad("{\"prompt\":5,\"answer\":\"a\"}\n",
            "\"prompt\" is a number, not a text");
}

TEST_F(PromptData, AFieldMayLieBelowAnother) {
  DataOptions options;
  options.referenceField = "reward_model.ground_truth";
  Result<PromptDataset> data =
      load(R"({"prompt":"a","reward_model":{"style":"rule","ground_truth":"1"}}
{"prompt":"b","reward_model":{"ground_truth":2.0}}
{"prompt":"c","reward_model.ground_truth":"3","reward_model":{"ground_truth":"no"}}
)",
           options);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ((*data)[i].reference, std::to_string(i + 1));
  options.promptField = "x.messages.1.content";
  options.referenceField = "a.b.c";
  data = load(R"({"x":{"messages":[{},{"content":"hello"}]},"a.b":{"c":"4"}})",
              options);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  EXPECT_EQ((*data)[0].prompt, "hello");
  EXPECT_EQ((*data)[0].reference, "4");

  options = {};
  options.referenceField = "reward_model.ground_truth";
  expectBad("\n{\"prompt\":\"p\",\"answer\":\"a\"}\n",
            "data.jsonl:2: field \"reward_model.ground_truth\" is missing: the "
            "row has \"answer\", \"prompt\"; add it, or "
            "name another in task.answer_field",
            options);
  expectBad("{\"prompt\":\"p\",\"reward_model\":{\"style\":\"rule\"}}\n",
            "\"reward_model\" has no \"ground_truth\", it has \"style\"",
            options);
  expectBad("{\"prompt\":\"p\",\"reward_model\":\"1\"}\n",
            "it has no fields, it is a text", options);
  expectBad("{\"prompt\":\"p\",\"reward_model\":{\"ground_truth\":[\"1\"]}}\n",
            "is a list, not a text or a number; name a place in it in "
            "task.answer_field, such as "
            "\"reward_model.ground_truth.0\"",
            options);
  expectBad(
      "{\"prompt\":\"p\",\"reward_model\":{\"ground_truth\":{\"v\":1}}}\n",
      "is an object, not a text or a number; name a field in it in "
      "task.answer_field, such as "
      "\"reward_model.ground_truth.v\"",
      options);
  options.promptField = "messages.3.content";
  expectBad("{\"messages\":[{\"content\":\"x\"}]}\n",
            "\"messages\" has no \"3\", it has 1 entries, from 0", options);
}

TEST_F(PromptData, ChatMessagesAreNotSupportedYet) {
  expectBad(
      R"({"prompt":[{"role":"user","content":"1+1="}],"answer":"2"})",
      "data.jsonl:1: field \"prompt\" is a list of chat messages, and chat "
      "templates are not supported yet; name a "
      "field of plain text in task.prompt_field, such as \"prompt.0.content\"");
  // This is reported at once when the row has nothing else.
  expectBad(
      R"({"messages":[{"role":"user","content":"1+1="}],"answer":"2"})",
      "data.jsonl:1: field \"prompt\" is missing: the row has \"answer\", "
      "\"messages\", and \"messages\" is a list of chat messages, and chat "
      "templates are not supported yet; name a field of plain text in "
      "task.prompt_field, such as \"messages.0.content\" for the first message "
      "alone");
  DataOptions options;
  options.promptField = "messages";
  expectBad(
      R"({"messages":[{"role":"system","content":"x"},{"role":"user","content":"y"}],"answer":"2"})",
      "chat templates are not supported yet", options);
}

TEST_F(PromptData, RefusesALongLineWithoutReadingIt) {
  // Two gigabytes of zeros that take no space on disk.
  int fd = open(path_.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_EQ(ftruncate(fd, off_t{2} << 30), 0);
  close(fd);
  Result<PromptDataset> data = PromptDataset::load(path_, {});
  ASSERT_FALSE(data.isOk());
  EXPECT_NE(data.status().message().find(
                "data.jsonl:1: line has more than 16777216 bytes"),
            std::string::npos)
      << data.status().message();
}

TEST_F(PromptData, CountsWhatIsTooLong) {
  DataOptions options;
  options.maximumPromptTokens = 3;
  auto count = [](std::string_view prompt) -> Result<int64_t> {
    return static_cast<int64_t>(prompt.size());
  };
  std::string content = R"({"prompt":"abcd","answer":"1"}
{"prompt":"abc","answer":"2"}
{"prompt":"abcdefg","answer":"3"}
)";
  Result<PromptDataset> data = load(content, options, count);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->report().rows, 3);
  EXPECT_EQ(data->report().tooLong, 2);
  EXPECT_NE(data->report().summary.find(
                "1 prompts, 2 left out as longer than 3 tokens (longest 7)"),
            std::string::npos)
      << data->report().summary;
  options.maximumPromptTokens = 2;
  data = load(content, options, count);
  ASSERT_FALSE(data.isOk());
  EXPECT_NE(data.status().message().find("0 prompts, 3 left out"),
            std::string::npos)
      << data.status().message();
  EXPECT_EQ(load(content, options).status().code(), Code::kUsage);
}

TEST(EpochRows, EveryEpochTakesEveryRowOnceInAnOrderOfItsOwn) {
  EpochRows rows(50, 9);
  EpochRows again(50, 9);
  EpochRows other(50, 8);
  std::vector<std::vector<int64_t>> epochs(3);
  for (uint64_t place = 0; place < 150; ++place)
    epochs[place / 50].push_back(rows.at(place));
  for (const auto &epoch : epochs)
    EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), 50u);
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  // From any place, as a resumed run asks.
  for (uint64_t place : {149u, 3u, 77u})
    EXPECT_EQ(again.at(place), epochs[place / 50][place % 50]);
  std::vector<int64_t> elsewhere;
  for (uint64_t place = 0; place < 50; ++place)
    elsewhere.push_back(other.at(place));
  EXPECT_NE(elsewhere, epochs[0]);
  EXPECT_EQ(epochOrder(5, 1, 0), (std::vector<int64_t>{2, 4, 0, 1, 3}));
}

} // namespace
} // namespace nibble
