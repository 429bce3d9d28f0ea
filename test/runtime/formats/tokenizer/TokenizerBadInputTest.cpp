// A hostile tokenizer.json or text must give a one-line reason, quickly.
#include "runtime/formats/json.h"
#include "runtime/formats/tokenizer/byte_level.h"
#include "runtime/formats/tokenizer/utf8.h"
#include "test/runtime/formats/tokenizer/tokenizer_test_data.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>

namespace nibble {
namespace {

// The smallest valid file: 256 bytes, "ab", one added token.
Json goodFile() {
  Json vocab = Json::object();
  for (int byte = 0; byte < 256; ++byte)
    vocab[std::string(byteCharacter(static_cast<uint8_t>(byte)))] = byte;
  vocab["ab"] = 256;
  return {{"added_tokens",
           {{{"id", 257},
             {"content", "<end>"},
             {"special", true},
             {"normalized", false}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a b"}}}}};
}

void expectRefused(const std::string &content, const std::string &reason) {
  Result<Tokenizer> tokenizer = Tokenizer::parse(content);
  ASSERT_FALSE(tokenizer.isOk()) << reason;
  EXPECT_EQ(tokenizer.status().code(), Code::kBadInput);
  EXPECT_NE(tokenizer.status().message().find(reason), std::string::npos)
      << tokenizer.status().message();
  EXPECT_EQ(tokenizer.status().message().find('\n'), std::string::npos)
      << tokenizer.status().message();
}

TEST(TokenizerBadInput, TheGoodFileIsGood) {
  Result<Tokenizer> tokenizer = Tokenizer::parse(goodFile().dump());
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
  EXPECT_EQ(*tokenizer->encode("aabb<end>", false),
            (std::vector<int32_t>{97, 256, 98, 257}));
}

TEST(TokenizerBadInput, NamesTheFieldThatIsWrong) {
  struct Case {
    std::function<void(Json &)> change;
    std::string reason;
  };
  auto at = [](std::string pointer, Json value) {
    return [=](Json &file) { file[Json::json_pointer(pointer)] = value; };
  };
  auto without = [](std::string key) {
    return [=](Json &file) { file.erase(key); };
  };
  Json deep = {{"type", "Split"},
               {"pattern", {{"Regex", "(a"}}},
               {"behavior", "Isolated"}};
  std::vector<Case> cases = {
      {without("model"), "has no field 'model'"},
      {at("/model/type", "Unigram"), "\"Unigram\""},
      {at("/model/type", "WordPiece"), "\"WordPiece\""},
      {at("/model/byte_fallback", 1), "byte_fallback"},
      {at("/model/fuse_unk", "yes"), "fuse_unk"},
      {at("/model/unk_token", "<unk>"),
       "unk_token '<unk>', which is not in vocab"},
      {at("/model/dropout", 0.1), "dropout"},
      {at("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix"},
      {at("/model/continuing_subword_prefix", "##"),
       "continuing_subword_prefix"},
      {at("/model/vocab", Json::array()), "vocab"},
      {at("/model/vocab/ab", -1), "'ab' has id -1"},
      {at("/model/vocab/ab", 1 << 30), "'ab' has id"},
      {at("/model/vocab/ab", 18446744073709551615u), "'ab' has id"},
      {at("/model/vocab/ab", 2.5), "'ab' has id 2.5"},
      {at("/model/vocab/ab", "x"), "'ab' has id"},
      {at("/model/vocab/ab", 97), "vocab gives id 97 to two entries"},
      {at("/model/merges", nullptr), "merges"},
      {at("/model/type", "two\nlines"), "two"},
      {at("/model/vocab/x\ny", -1), "'x?y' has id -1"},
      {at("/normalizer", {{"type", "two\nlines"}}), "'two?lines'"},
      {at("/pre_tokenizer", {{"type", "two\nlines"}}), "'two?lines'"},
      {at("/added_tokens/0", {{"content", "two\nlines"}, {"id", -1}}),
       "'two?lines'"},
      {at("/model/merges", {"a c"}), "'ac' is not in vocab"},
      {at("/model/merges", {"zz a"}), "'zz' is not in vocab"},
      {at("/model/merges", {"ab"}), "merge 0 is neither"},
      {at("/model/merges", {"a b c"}), "merge 0 is neither"},
      {at("/model/merges", {" ab"}), "'' is not in vocab"},
      {at("/model/merges", Json::array({Json::array({"a", 1})})),
       "merge 0 is neither"},
      {at("/model/merges", {"a b", "a b"}), "given twice"},
      {without("pre_tokenizer"),
       "decoder is ByteLevel and pre_tokenizer is not"},
      {at("/pre_tokenizer", {{"type", "Metaspace"}}), "replacement"},
      {at("/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "ab"}}),
       "want one character"},
      {at("/pre_tokenizer", {{"type", "Metaspace"},
                             {"replacement", "_"},
                             {"prepend_scheme", "Always"}}),
       "'Always'"},
      {at("/pre_tokenizer", {{"type", "Metaspace"},
                             {"replacement", "_"},
                             {"add_prefix_space", false}}),
       "add_prefix_space"},
      {at("/pre_tokenizer", {{"type", "BertPreTokenizer"}}),
       "'BertPreTokenizer' is not supported"},
      {at("/pre_tokenizer",
          {{"type", "Sequence"}, {"pretokenizers", Json::array()}}),
       "decoder is ByteLevel"},
      {at("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {deep}}}),
       "no regular expression"},
      {at("/pre_tokenizer/add_prefix_space", 1), "add_prefix_space"},
      {at("/normalizer", {{"type", "Precompiled"}}),
       "'Precompiled' is not supported"},
      {at("/normalizer", {{"type", "Prepend"}}), "prepend"},
      {at("/normalizer", {{"type", "Replace"}, {"content", ""}}),
       "Replace has no pattern"},
      {at("/normalizer", {{"type", "Replace"},
                          {"pattern", {{"Regex", "(a"}}},
                          {"content", ""}}),
       "no regular expression"},
      {at("/normalizer", {{"type", "Replace"},
                          {"pattern", {{"String", "a"}}},
                          {"content", std::string(2000, 'x')}}),
       "2000 bytes"},
      {at("/post_processor", {{"type", "BertProcessing"}}),
       "'BertProcessing' is not supported"},
      {at("/post_processor",
          {{"type", "TemplateProcessing"}, {"single", Json::array()}}),
       "0 sequences"},
      {at("/decoder", nullptr), "decoder: is null"},
      {at("/decoder", {{"type", "WordPiece"}}), "'WordPiece' is not supported"},
      {at("/decoder", {{"type", "ByteFallback"}}),
       "pre_tokenizer is ByteLevel and decoder is not"},
      {at("/decoder",
          {{"type", "Strip"}, {"content", "xx"}, {"start", 1}, {"stop", 0}}),
       "want one character"},
      {at("/decoder",
          {{"type", "Strip"}, {"content", "x"}, {"start", -1}, {"stop", 0}}),
       "start"},
      {at("/added_tokens/0/id", 97), "which vocab gives to another entry"},
      {at("/added_tokens/0/content", "ab"), "but 256 in vocab"},
      {at("/added_tokens/0/content", ""), "has 0 bytes"},
      {at("/added_tokens/0/content", std::string(5000, 'x')), "has 5000 bytes"},
      {at("/added_tokens/0/id", -3), "has no id"},
      {at("/added_tokens/1", goodFile()["added_tokens"][0]), "given twice"},
  };
  for (const Case &test : cases) {
    Json file = goodFile();
    test.change(file);
    expectRefused(file.dump(), test.reason);
  }
}

TEST(TokenizerBadInput, RefusesWhatIsNotAPlainJsonObject) {
  expectRefused("", "parse error");
  expectRefused("{", "parse error");
  expectRefused("[]", "has no field 'model'");
  expectRefused(goodFile().dump() + "x", "parse error");
  expectRefused(std::string(1000000, '['), "nested deeper");
  expectRefused(R"({"model":{"type":"BPE","type":"BPE"}})",
                "key \"type\" twice");
  expectRefused("{\"model\":\"\xFF\"}", "not UTF-8");
  std::string good = goodFile().dump(-1, ' ', true);
  for (size_t length = 0; length < good.size(); length += 7)
    expectRefused(good.substr(0, length), "parse error");
}

TEST(TokenizerBadInput, SaysWhereItLooked) {
  Result<Tokenizer> tokenizer = Tokenizer::load(NIBBLE_TEST_DATA);
  ASSERT_FALSE(tokenizer.isOk());
  EXPECT_EQ(tokenizer.status().code(), Code::kBadInput);
  EXPECT_NE(tokenizer.status().message().find("tokenizer.json"),
            std::string::npos)
      << tokenizer.status().message();
}

TEST(TokenizerBadInput, RefusesTextThatIsNotUtf8) {
  Tokenizer tokenizer = loadFixture("qwen_style");
  for (std::string text : {"ab\xFF", "\xC0\x80", "\xED\xA0\x80",
                           "\xF4\x90\x80\x80", "x\xE2\x82", "\x80"}) {
    Result<std::vector<int32_t>> ids = tokenizer.encode(text, false);
    ASSERT_FALSE(ids.isOk());
    EXPECT_EQ(ids.status().code(), Code::kBadInput);
    EXPECT_NE(ids.status().message().find("not UTF-8 at byte"),
              std::string::npos)
        << ids.status().message();
  }
}

double secondsOf(const std::function<void()> &work) {
  auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

TEST(TokenizerBadInput, LongWordsEndSoon) {
  for (const char *style : {"qwen_style", "llama3_style", "gpt2_style"}) {
    Tokenizer tokenizer = loadFixture(style);
    double seconds = secondsOf([&] {
      Result<std::vector<int32_t>> ids =
          tokenizer.encode(std::string(10 << 20, 'a'), false);
      ASSERT_FALSE(ids.isOk());
      EXPECT_NE(ids.status().message().find("too long"), std::string::npos)
          << ids.status().message();
      // A word up to the limit is accepted.
      std::string word(Pattern::kLongestMatch, 'a');
      ids = tokenizer.encode(word, false);
      ASSERT_TRUE(ids.isOk()) << ids.status().message();
      EXPECT_EQ(tokenizer.decode(*ids, false), word);
      ids = tokenizer.encode(
          std::string(100000, '\n') + std::string(100000, ' ') + "x", false);
      EXPECT_TRUE(ids.isOk()) << ids.status().message();
      // Marks in an order that makes exchange sort quadratic.
      std::string marks = "a";
      for (int i = 0; i < 60000; ++i)
        marks += "\u0301\u0323";
      ids = tokenizer.encode(marks, false);
      EXPECT_TRUE(ids.isOk()) << ids.status().message();
    });
    EXPECT_LT(seconds, 5) << style;
  }
}

TEST(TokenizerBadInput, ExpressionsThatBacktrackWithoutEndAreStopped) {
  Json file = goodFile();
  Json split = {{"type", "Split"},
                {"pattern", {{"Regex", "(?:a|a|aa)+$"}}},
                {"behavior", "Isolated"}};
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", {split, file["pre_tokenizer"]}}};
  Result<Tokenizer> tokenizer = Tokenizer::parse(file.dump());
  ASSERT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
  double seconds = secondsOf([&] {
    Result<std::vector<int32_t>> ids =
        tokenizer->encode(std::string(1000, 'a') + "b", false);
    ASSERT_FALSE(ids.isOk());
    EXPECT_EQ(ids.status().code(), Code::kBadInput);
    EXPECT_NE(ids.status().message().find("pathological"), std::string::npos)
        << ids.status().message();
  });
  EXPECT_LT(seconds, 5);
}

} // namespace
} // namespace nibble
