// The text side of a checkpoint folder: a tokenizer that fits the model, and
// tokens that end a text.
#include "runtime/formats/tokenizer/model_text.h"
#include "test/runtime/formats/scratch.h"

namespace nibble {
namespace {

using testing::fails;
using testing::fixture;
using testing::Scratch;

std::string folderOf(const char *style) {
  return fixture(std::string("tokenizers/") + style);
}

TEST(ModelText, HasTokenizerStopTokensAndWarnings) {
  std::string folder = folderOf("plain_style");
  auto tokenizer = Tokenizer::load(folder);
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
  ModelConfig config;
  config.vocabSize = tokenizer->vocabularySize();
  config.eosTokens = {2, 5};
  std::vector<std::string> warnings;
  auto text = loadModelText(folder, config, [&](const std::string &line) {
    warnings.push_back(line);
  });
  ASSERT_TRUE(text.isOk()) << text.status().message();
  EXPECT_EQ(text->stopTokens, (std::vector<int32_t>{2, 5}));
  EXPECT_EQ(text->tokenizer.vocabularySize(), config.vocabSize);
  EXPECT_EQ(warnings.size(), tokenizer->warnings().size());
  for (const std::string &line : warnings)
    EXPECT_TRUE(line.starts_with(folder + ": tokenizer.json: ")) << line;
}

TEST(ModelText, WhatDoesNotGoTogetherIsRefused) {
  auto silent = [](const std::string &) {};
  std::string folder = folderOf("plain_style");
  ModelConfig config;
  config.vocabSize = 1;
  config.eosTokens = {0};
  EXPECT_TRUE(fails(loadModelText(folder, config, silent).status(),
                    Code::kBadInput,
                    {"tokenizer.json", "vocabulary of 1", "one checkpoint"}));
  config.vocabSize = 1 << 20;
  config.eosTokens.clear();
  EXPECT_TRUE(fails(loadModelText(folder, config, silent).status(),
                    Code::kBadInput, {"eos_token_id", "add one"}));
  Scratch scratch;
  EXPECT_TRUE(fails(loadModelText(scratch.path(), config, silent).status(),
                    Code::kBadInput, {"no tokenizer at"}));
}

} // namespace
} // namespace nibble
