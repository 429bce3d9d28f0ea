// Prompt files (F8): what is wrong is named by line, what is left out is counted.
#include "runtime/rl/data.h"
#include "runtime/core/file.h"
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
  Result<PromptDataset> load(std::string_view content, const DataOptions &options = {},
                             const PromptDataset::CountTokens &count = {}) {
    EXPECT_TRUE(writeFileAtomically(path_, content).isOk());
    return PromptDataset::load(path_, options, count);
  }
  void expectBad(std::string_view content, const std::string &reason, const DataOptions &options = {}) {
    Result<PromptDataset> data = load(content, options);
    ASSERT_FALSE(data.isOk()) << content;
    EXPECT_EQ(data.status().code(), Code::kBadInput);
    EXPECT_NE(data.status().message().find(reason), std::string::npos) << data.status().message();
    EXPECT_EQ(data.status().message().find('\n'), std::string::npos);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "data.jsonl";
};

TEST_F(PromptData, ReadsRows) {
  Result<PromptDataset> data = load("\xEF\xBB\xBF{\"prompt\":\"a\\nb\",\"answer\":\"x\",\"more\":[1]}\r\n\n"
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
  expectBad(good + "{\"prompt\":\"p\",\"prompt\":\"q\",\"answer\":\"a\"}\n", "twice");
  expectBad(good + "{\"prompt\":\"\xFF\",\"answer\":\"a\"}\n", "UTF-8");
  expectBad(good + "\xEF\xBB\xBF" + good, "data.jsonl:2");
  expectBad(good + std::string(100000, '[') + "\n", "data.jsonl:2");
  EXPECT_FALSE(PromptDataset::load(folder_.path() / "nothing", {}).isOk());
  EXPECT_FALSE(PromptDataset::load(folder_.path(), {}).isOk());
}

TEST_F(PromptData, RefusesALongLineWithoutReadingIt) {
  // Two gigabytes of nothing, which take no room on disk.
  int fd = open(path_.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_EQ(ftruncate(fd, off_t{2} << 30), 0);
  close(fd);
  Result<PromptDataset> data = PromptDataset::load(path_, {});
  ASSERT_FALSE(data.isOk());
  EXPECT_NE(data.status().message().find("data.jsonl:1: line has more than 16777216 bytes"), std::string::npos)
      << data.status().message();
}

TEST_F(PromptData, CountsWhatIsTooLong) {
  DataOptions options;
  options.maximumPromptTokens = 3;
  auto count = [](std::string_view prompt) -> Result<int64_t> { return static_cast<int64_t>(prompt.size()); };
  std::string content = R"({"prompt":"abcd","answer":"1"}
{"prompt":"abc","answer":"2"}
{"prompt":"abcdefg","answer":"3"}
)";
  Result<PromptDataset> data = load(content, options, count);
  ASSERT_TRUE(data.isOk()) << data.status().message();
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->report().rows, 3);
  EXPECT_EQ(data->report().tooLong, 2);
  EXPECT_NE(data->report().summary.find("1 prompts, 2 left out as longer than 3 tokens (longest 7)"), std::string::npos)
      << data->report().summary;
  options.maximumPromptTokens = 2;
  data = load(content, options, count);
  ASSERT_FALSE(data.isOk());
  EXPECT_NE(data.status().message().find("0 prompts, 3 left out"), std::string::npos) << data.status().message();
  EXPECT_EQ(load(content, options).status().code(), Code::kUsage);
}

TEST(EpochRows, EveryEpochTakesEveryRowOnceInAnOrderOfItsOwn) {
  EpochRows rows(50, 9), again(50, 9), other(50, 8);
  std::vector<std::vector<int64_t>> epochs(3);
  for (uint64_t place = 0; place < 150; ++place)
    epochs[place / 50].push_back(rows.at(place));
  for (const auto &epoch : epochs)
    EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), 50u);
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  // From anywhere, as a continued run asks.
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
