// Compares our tokenizer with the recorded ids and texts of the HuggingFace
// library (test/fixtures/tokenizers).
#include "runtime/formats/json.h"
#include "runtime/formats/tokenizer/byte_level.h"
#include "runtime/formats/tokenizer/utf8.h"
#include "test/runtime/formats/tokenizer/tokenizer_test_data.h"

#include <chrono>
#include <cstdio>
#include <random>

namespace nibble {
namespace {

using Ids = std::vector<int32_t>;

Ids encodeOrFail(const Tokenizer &tokenizer, std::string_view text,
                 bool addSpecialTokens = false) {
  Result<Ids> ids = tokenizer.encode(text, addSpecialTokens);
  EXPECT_TRUE(ids.isOk()) << ids.status().message();
  return ids.isOk() ? *ids : Ids();
}

class RecordedTokenizer : public ::testing::TestWithParam<const char *> {};
INSTANTIATE_TEST_SUITE_P(
    Styles, RecordedTokenizer,
    ::testing::Values("qwen_style", "llama3_style", "gpt2_style", "odd_style",
                      "llama2_style", "metaspace_style", "gemma_style",
                      "plain_style", "few_bytes_style"),
    [](const auto &info) { return std::string(info.param); });

TEST_P(RecordedTokenizer, GivesTheRecordedIdsAndTexts) {
  Tokenizer tokenizer = loadFixture(GetParam());
  Json expected =
      Json::parse(contentOf(tokenizerFixture(GetParam(), "expected.json")));
  ASSERT_GE(expected["cases"].size(), 160u);
  for (const Json &sample : expected["cases"]) {
    std::string text = sample["text"];
    SCOPED_TRACE(sample["text"].dump());
    Ids ids = sample["ids"];
    Ids full = sample.value("ids_with_special", ids);
    EXPECT_EQ(encodeOrFail(tokenizer, text), ids);
    EXPECT_EQ(encodeOrFail(tokenizer, text, true), full);
    EXPECT_EQ(tokenizer.decode(ids, false),
              sample["decoded"].get<std::string>());
    EXPECT_EQ(tokenizer.decode(full, true),
              sample["decoded_without_special"].get<std::string>());
  }
  for (const Json &sample : expected["decodes"]) {
    Ids ids = sample["ids"];
    EXPECT_EQ(tokenizer.decode(ids, false),
              sample["decoded"].get<std::string>())
        << sample.dump();
  }
  std::printf(
      "%s: %zu texts and %zu lists of ids equal to what the library gave\n",
      GetParam(), expected["cases"].size(), expected["decodes"].size());
}

TEST_P(RecordedTokenizer, StreamsThePrefixesOfWhatItDecodes) {
  Tokenizer tokenizer = loadFixture(GetParam());
  Json expected =
      Json::parse(contentOf(tokenizerFixture(GetParam(), "expected.json")));
  for (const char *list : {"cases", "decodes"}) {
    for (const Json &sample : expected[list]) {
      Ids ids = sample["ids"];
      StreamDecoder decoder(tokenizer, false);
      std::string whole = tokenizer.decode(ids, false);
      std::string streamed;
      for (int32_t id : ids) {
        streamed += decoder.push(id);
        EXPECT_FALSE(findInvalidUtf8(streamed).has_value());
        EXPECT_TRUE(whole.starts_with(streamed));
      }
      EXPECT_EQ(streamed + decoder.finish(), whole) << sample.dump();
      EXPECT_EQ(decoder.finish(), "");
    }
  }
}

// Text with characters of every plane and length, including combining marks,
// controls and added tokens.
std::string randomText(std::mt19937 &random) {
  std::string text;
  for (int i = random() % 40; i > 0; --i) {
    char32_t codePoint = 0;
    switch (random() % 8) {
    case 0:
      codePoint = random() % 0x80;
      break;
    case 1:
      codePoint = 0x20;
      break;
    case 2:
      codePoint = 0x300 + random() % 0x70;
      break;
    case 3:
      codePoint = random() % 0x800;
      break;
    case 4:
      codePoint = 0x4E00 + random() % 0x5000;
      break;
    case 5:
      codePoint = 0x10000 + random() % 0x100000;
      break;
    case 6:
      codePoint = random() % 0xD800;
      break;
    case 7:
      text += "<|eot_id|>";
      codePoint = 'x';
      break;
    }
    appendUtf8(codePoint, text);
  }
  return text;
}

TEST(Tokenizer, DecodesWhatItEncodesForAllValidUtf8) {
  std::mt19937 random(7);
  for (const char *style : {"llama3_style", "gpt2_style"}) {
    Tokenizer tokenizer = loadFixture(style);
    for (int i = 0; i < 10000; ++i) {
      std::string text = randomText(random);
      ASSERT_EQ(tokenizer.decode(encodeOrFail(tokenizer, text), false), text);
    }
  }
}

// Byte fallback loses nothing except the space that it adds before the text.
TEST(Tokenizer, ByteFallbackDecodesWhatItEncodes) {
  std::mt19937 random(9);
  Tokenizer llama2 = loadFixture("llama2_style");
  Tokenizer gemma = loadFixture("gemma_style");
  for (int i = 0; i < 5000; ++i) {
    std::string text = randomText(random);
    ASSERT_EQ(llama2.decode(encodeOrFail(llama2, text), false), text);
    ASSERT_EQ(gemma.decode(encodeOrFail(gemma, text), false), text);
  }
}

// Without a pre-tokenizer, a whole text is one piece.
TEST(Tokenizer, LongPiecesAreMergedInLittleTime) {
  Tokenizer tokenizer = loadFixture("llama2_style");
  std::string text;
  while (text.size() < (2u << 20))
    text += "the weights of the model are rounded \u4ECA\u5929 ";
  auto begin = std::chrono::steady_clock::now();
  Ids ids = encodeOrFail(tokenizer, text);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  EXPECT_EQ(tokenizer.decode(ids, false), text);
  EXPECT_LT(seconds, 20);
  std::printf("%zu bytes in one piece: %zu tokens in %.2f s\n", text.size(),
              ids.size(), seconds);
}

TEST(Tokenizer, WarnsOfTextThatItWouldLose) {
  EXPECT_TRUE(loadFixture("gpt2_style").warnings().empty());
  EXPECT_TRUE(loadFixture("llama2_style").warnings().empty());
  Tokenizer few = loadFixture("few_bytes_style");
  ASSERT_EQ(few.warnings().size(), 1u);
  EXPECT_NE(few.warnings()[0].find("they become unk_token"), std::string::npos)
      << few.warnings()[0];
}

TEST(Tokenizer, WarnsOfWhatIsNotApplied) {
  auto read = readJsonFile(tokenizerFixture("qwen_style", "tokenizer.json"));
  ASSERT_TRUE(read.isOk()) << read.status().message();
  const Json &file = *read;
  for (const char *field : {"truncation", "padding"}) {
    Json changed = file;
    changed[field] = {{"max_length", 8}, {"strategy", "LongestFirst"}};
    auto tokenizer = Tokenizer::parse(changed.dump());
    ASSERT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
    ASSERT_EQ(tokenizer->warnings().size(), 1u) << field;
    EXPECT_EQ(tokenizer->warnings()[0].find(std::string(field) +
                                            " is set and is not applied"),
              0u)
        << tokenizer->warnings()[0];
    changed[field] = nullptr;
    EXPECT_TRUE(Tokenizer::parse(changed.dump())->warnings().empty()) << field;
  }
}

TEST(Tokenizer, NormalizesBeforeItEncodes) {
  Tokenizer tokenizer = loadFixture("qwen_style");
  std::mt19937 random(8);
  for (int i = 0; i < 3000; ++i) {
    std::string text = randomText(random);
    Result<std::string> normal = normalizeUnicode(text, UnicodeForm::kNfc);
    ASSERT_TRUE(normal.isOk());
    ASSERT_EQ(tokenizer.decode(encodeOrFail(tokenizer, text), false), *normal);
  }
}

TEST(Tokenizer, NamesItsTokens) {
  Tokenizer tokenizer = loadFixture("llama3_style");
  std::optional<int32_t> end = tokenizer.tokenId("<|eot_id|>");
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(tokenizer.isSpecial(*end));
  EXPECT_EQ(tokenizer.tokenBytes(*end), "<|eot_id|>");
  EXPECT_EQ(tokenizer.tokenId("<|nothing|>"), std::nullopt);
  EXPECT_EQ(tokenizer.tokenBytes(*tokenizer.tokenId("\u0120zebra")), " zebra");
  EXPECT_EQ(tokenizer.tokenBytes(-1), std::nullopt);
  EXPECT_EQ(
      tokenizer.tokenBytes(static_cast<int32_t>(tokenizer.vocabularySize())),
      std::nullopt);
  EXPECT_TRUE(
      tokenizer.tokenBytes(static_cast<int32_t>(tokenizer.vocabularySize() - 1))
          .has_value());
  EXPECT_EQ(tokenizer.decode(Ids{-5, 1 << 30, *end}, false), "<|eot_id|>");
  EXPECT_EQ(tokenizer.decode(Ids{-5, 1 << 30, *end}, true), "");
}

TEST(Tokenizer, HoldsBackAnUnfinishedCharacter) {
  Tokenizer tokenizer = loadFixture("gpt2_style");
  auto byteToken = [&](uint8_t byte) {
    return *tokenizer.tokenId(byteCharacter(byte));
  };
  StreamDecoder decoder(tokenizer, false);
  EXPECT_EQ(decoder.push(byteToken(0xF0)), "");
  EXPECT_EQ(decoder.push(byteToken(0x9F)), "");
  EXPECT_EQ(decoder.push(byteToken(0x98)), "");
  EXPECT_EQ(decoder.push(byteToken(0x80)), "\U0001F600");
  EXPECT_EQ(decoder.push(byteToken(0xE2)), "");
  EXPECT_EQ(decoder.push(byteToken('a')), "\uFFFDa");
  EXPECT_EQ(decoder.push(byteToken(0xC3)), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

} // namespace
} // namespace nibble
