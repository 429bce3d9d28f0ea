// Compares the parts of the tokenizer with definitions that are slow and
// simple.
#include "runtime/formats/json.h"
#include "runtime/formats/tokenizer/added_tokens.h"
#include "runtime/formats/tokenizer/bpe.h"
#include "runtime/formats/tokenizer/byte_level.h"
#include "runtime/formats/tokenizer/normalizer.h"
#include "runtime/formats/tokenizer/pattern.h"
#include "runtime/formats/tokenizer/pre_tokenizer.h"
#include "runtime/formats/tokenizer/token_decoder.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace nibble {
namespace {

TEST(ByteAlphabet, HasACharacterOfItsOwnForEveryByte) {
  std::set<std::string_view> seen;
  for (int byte = 0; byte < 256; ++byte) {
    std::string_view character = byteCharacter(static_cast<uint8_t>(byte));
    EXPECT_TRUE(seen.insert(character).second);
    EXPECT_EQ(fromByteAlphabet(character),
              std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(byteCharacter(' '), "\u0120");
  EXPECT_EQ(byteCharacter('\n'), "\u010A");
  EXPECT_EQ(byteCharacter(0xAD), "\u0143");
  EXPECT_EQ(fromByteAlphabet("a b"), std::nullopt);
  EXPECT_EQ(fromByteAlphabet("\u0144"), std::nullopt);
}

TEST(Utf8, KnowsEveryCodePoint) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000)
      continue;
    std::string text;
    appendUtf8(c, text);
    Utf8Step step = stepUtf8(text);
    ASSERT_EQ(step.kind, Utf8Step::Kind::kCharacter);
    ASSERT_EQ(step.bytes, static_cast<int>(text.size()));
    ASSERT_EQ(step.codePoint, c);
  }
}

TEST(Utf8, ReplacesMaximalIllFormedParts) {
  auto lossy = [](std::string_view bytes) {
    std::string out;
    appendLossy(bytes, out);
    return out;
  };
  // The examples of tables 3-8 to 3-11 of the Unicode standard.
  EXPECT_EQ(lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(lossy("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(lossy("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB");
  EXPECT_EQ(lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFDA");
}

TEST(Utf8, ComposesCanonically) {
  auto nfc = [](std::string_view text) {
    return *normalizeUnicode(text, UnicodeForm::kNfc);
  };
  EXPECT_EQ(nfc("e\u0301"), "\u00E9");
  EXPECT_EQ(nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(nfc("\u1E9B\u0323"), "\u1E9B\u0323");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");
  EXPECT_EQ(nfc("\u1100\u1161\u11A8"), "\uAC01");
  EXPECT_EQ(nfc("\u212B"), "\u00C5");
  EXPECT_EQ(nfc(std::string_view("a\0b\u0301", 5)),
            std::string("a\0b\u0301", 5));
}

TEST(Utf8, KnowsTheOtherFormsAndCases) {
  auto form = [](std::string_view text, UnicodeForm kind) {
    return *normalizeUnicode(text, kind);
  };
  EXPECT_EQ(form("\u00E9\uFB01", UnicodeForm::kNfd), "e\u0301\uFB01");
  EXPECT_EQ(form("e\u0301\uFB01", UnicodeForm::kNfkc), "\u00E9fi");
  EXPECT_EQ(form("\u00E9\u00B2\uAC01", UnicodeForm::kNfkd),
            "e\u03012\u1100\u1161\u11A8");
  EXPECT_EQ(form("\uFDFA", UnicodeForm::kNfkd).size(), 33u)
      << "the longest decomposition";
  std::string lower;
  for (char32_t c : {U'A', U'\u0130', U'\u1E9E', U'\u01C5', U'\u03A3', U'z'})
    appendLowercase(c, lower);
  EXPECT_EQ(lower, "ai\u0307\u00DF\u01C6\u03C3z");
  EXPECT_TRUE(isMark(0x301) && isMark(0x903) && isMark(0x20DD))
      << "nonspacing, spacing, enclosing";
  EXPECT_FALSE(isMark('a') || isMark(0x5E));
}

std::vector<std::string> cut(std::string_view text, std::string_view expression,
                             SplitBehavior behavior) {
  std::vector<std::string> out;
  for (const Piece &piece :
       applyBehavior(*Pattern::compile(expression)->findAll(text), behavior))
    out.emplace_back(text.substr(piece.begin, piece.end - piece.begin));
  return out;
}

TEST(Split, TreatsMatchesAsTheBehaviorSays) {
  using ::testing::ElementsAre;
  std::string_view text = "the-final--countdown";
  EXPECT_THAT(cut(text, "-", SplitBehavior::kRemoved),
              ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(cut(text, "-", SplitBehavior::kIsolated),
              ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(cut(text, "-", SplitBehavior::kMergedWithPrevious),
              ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(cut(text, "-", SplitBehavior::kMergedWithNext),
              ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(cut(text, "-", SplitBehavior::kContiguous),
              ElementsAre("the", "-", "final", "--", "countdown"));
  EXPECT_THAT(cut("\u00E9ab", "b*", SplitBehavior::kIsolated),
              ElementsAre("\u00E9", "a", "b"));
  EXPECT_THAT(cut("", "a", SplitBehavior::kIsolated), ElementsAre());
}

TEST(Split, FindsMatchesFarBehindTheWindow) {
  std::string text(3 * Pattern::kLongestMatch + 17, 'x');
  text += "1";
  text += std::string(5, 'x');
  Result<std::vector<Piece>> pieces = Pattern::compile("\\d")->findAll(text);
  ASSERT_TRUE(pieces.isOk());
  ASSERT_EQ(pieces->size(), 3u);
  EXPECT_EQ((*pieces)[1].begin, 3 * Pattern::kLongestMatch + 17);
}

std::string normalized(const Json &normalizer, std::string_view text) {
  return Normalizer::create(normalizer)->apply(text)->text;
}

TEST(Normalizer, AppliesStepsInOrder) {
  Json prepend = {{"type", "Prepend"}, {"prepend", "\u2581"}};
  Json replace = {{"type", "Replace"},
                  {"pattern", {{"String", " "}}},
                  {"content", "\u2581"}};
  Json both = {{"type", "Sequence"},
               {"normalizers",
                {prepend, {{"type", "Sequence"}, {"normalizers", {replace}}}}}};
  EXPECT_EQ(normalized(nullptr, " a "), " a ");
  EXPECT_EQ(normalized(both, " a b"), "\u2581\u2581a\u2581b");
  EXPECT_EQ(normalized(both, ""), "");
  EXPECT_EQ(normalized({{"type", "Strip"}}, "\u3000 a \n"), "a");
  EXPECT_EQ(normalized({{"type", "Strip"}, {"strip_left", false}}, " a "),
            " a");
  EXPECT_EQ(normalized({{"type", "Strip"}}, " \u00A0\n"), "");
  Json dollars = {{"type", "Replace"},
                  {"pattern", {{"Regex", "(x+)"}}},
                  {"content", "$1\\1"}};
  EXPECT_EQ(normalized(dollars, "axxb"), "a$1\\1b")
      << "nothing in it refers to the match";
  Json dot = {
      {"type", "Replace"}, {"pattern", {{"String", "."}}}, {"content", ""}};
  EXPECT_EQ(normalized(dot, ".a..b."), "ab") << "text is no expression";
  EXPECT_FALSE(Normalizer::create(dot)->apply(".a")->keepsFront);
  EXPECT_TRUE(Normalizer::create(dot)->apply("a.")->keepsFront);
}

std::vector<std::string> piecesOf(const Json &preTokenizer,
                                  std::string_view text, bool isFirst = true) {
  auto pieces = *PreTokenizer::create(preTokenizer)->split(text, isFirst);
  return {pieces.views.begin(), pieces.views.end()};
}

TEST(PreTokenizer, MetaspacePutsItsCharacter) {
  using ::testing::ElementsAre;
  auto metaspace = [](const char *scheme, bool split) {
    return Json{{"type", "Metaspace"},
                {"replacement", "_"},
                {"prepend_scheme", scheme},
                {"split", split}};
  };
  EXPECT_THAT(piecesOf(metaspace("always", true), "a b  c", false),
              ElementsAre("_a", "_b", "_", "_c"));
  EXPECT_THAT(piecesOf(metaspace("first", true), "a b", false),
              ElementsAre("a", "_b"));
  EXPECT_THAT(piecesOf(metaspace("first", true), "a b", true),
              ElementsAre("_a", "_b"));
  EXPECT_THAT(piecesOf(metaspace("never", true), "a b"),
              ElementsAre("a", "_b"));
  EXPECT_THAT(piecesOf(metaspace("always", false), "a b"), ElementsAre("_a_b"));
  EXPECT_THAT(piecesOf(metaspace("always", true), " a"), ElementsAre("_a"))
      << "one is there already";
  EXPECT_THAT(piecesOf(nullptr, "a b"), ElementsAre("a b"));
}

// Pushes tokens one by one. Returns the text after each token and at the end.
std::vector<std::string> streamed(const Json &decoder,
                                  const std::vector<std::string> &tokens) {
  auto created = TokenDecoder::create(decoder);
  if (!created.isOk())
    return {created.status().message()};
  TokenDecoder made = *std::move(created);
  TokenDecoder::State state = made.begin();
  std::vector<std::string> out;
  for (const std::string &token : tokens)
    out.push_back(made.push(state, token));
  out.push_back(made.finish(state));
  return out;
}

TEST(TokenDecoder, SaysWhatIsCertain) {
  using ::testing::ElementsAre;
  auto steps = [](std::initializer_list<Json> parts) {
    return Json{{"type", "Sequence"}, {"decoders", std::vector<Json>(parts)}};
  };
  Json bytes = {{"type", "ByteFallback"}};
  Json fuse = {{"type", "Fuse"}};
  Json space = {
      {"type", "Replace"}, {"pattern", {{"String", "_"}}}, {"content", " "}};
  Json strip = {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}};
  Json both = {{"type", "Strip"}, {"content", " "}, {"start", 2}, {"stop", 1}};
  // A run of bytes is decided when it ends. One invalid byte turns all of them
  // into U+FFFD.
  EXPECT_THAT(streamed(steps({bytes}), {"<0xC3>", "<0xA9>", "a"}),
              ElementsAre("", "", "\u00E9a", ""));
  EXPECT_THAT(streamed(steps({bytes}), {"<0xc3>", "<0xA9>", "<0xFF>"}),
              ElementsAre("", "", "", "\uFFFD\uFFFD\uFFFD"));
  EXPECT_THAT(streamed(steps({bytes}), {"<0xGG>", "<0x0A"}),
              ElementsAre("<0xGG>", "<0x0A", ""));
  EXPECT_THAT(streamed(steps({space, bytes, fuse, strip}),
                       {"_", "_a", "_", "<0x41>", "b_"}),
              ElementsAre("", " a", " ", "", "Ab ", ""));
  EXPECT_THAT(streamed(steps({strip}), {" a", " b"}), ElementsAre("a", "b", ""))
      << "without Fuse, of every token";
  EXPECT_THAT(streamed(steps({fuse, both}), {" ", "", "  a", " ", " ", "b "}),
              ElementsAre("", "", " a", "", " ", " b", ""));
  EXPECT_THAT(streamed(steps({fuse,
                              {{"type", "Replace"},
                               {"pattern", {{"Regex", "a+b"}}},
                               {"content", "x"}}}),
                       {"a", "a", "bc"}),
              ElementsAre("", "", "", "xc"));
  Json metaspace = {{"type", "Metaspace"},
                    {"replacement", "_"},
                    {"prepend_scheme", "always"}};
  EXPECT_THAT(streamed(metaspace, {"__a_", "_b", "_"}),
              ElementsAre("a", " b", " ", ""));
}

TEST(AddedTokens, AreLeftmostAndLongest) {
  AddedTokenMatcher matcher({{"ab", 1}, {"abcd", 2}, {"bcd", 3}, {"d", 4}});
  auto ids = [&](std::string_view text) {
    std::vector<int> out;
    for (const auto &part : matcher.split(text))
      out.push_back(part.id);
    return out;
  };
  EXPECT_EQ(ids("abcd"), (std::vector<int>{2}));
  EXPECT_EQ(ids("abcx"), (std::vector<int>{1, -1}));
  EXPECT_EQ(ids("xbcdd"), (std::vector<int>{-1, 3, 4}));
  EXPECT_EQ(ids(""), (std::vector<int>{}));
}

// The definition: look at all pairs, merge the best one, repeat.
std::vector<std::string>
mergeSlowly(std::string_view piece,
            const std::vector<std::pair<std::string, std::string>> &merges) {
  std::vector<std::string> symbols;
  for (char c : piece)
    symbols.emplace_back(1, c);
  while (true) {
    size_t bestRank = merges.size();
    size_t bestAt = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      size_t rank =
          std::ranges::find(merges, std::pair(symbols[i], symbols[i + 1])) -
          merges.begin();
      if (rank < bestRank)
        bestRank = rank, bestAt = i;
    }
    if (bestRank == merges.size())
      return symbols;
    symbols[bestAt] += symbols[bestAt + 1];
    symbols.erase(symbols.begin() + bestAt + 1);
  }
}

TEST(Bpe, MergesAsTheDefinitionSays) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Json vocab;
    for (int byte = 0; byte < 256; ++byte)
      vocab[std::string(byteCharacter(static_cast<uint8_t>(byte)))] = byte;
    std::vector<std::string> entries = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    while (merges.size() < 14) {
      std::pair merge(entries[random() % entries.size()],
                      entries[random() % entries.size()]);
      if (std::ranges::find(merges, merge) != merges.end())
        continue;
      std::string joined = merge.first + merge.second;
      if (!vocab.contains(joined)) {
        vocab[joined] = 256 + vocab.size();
        entries.push_back(joined);
      }
      merges.push_back(merge);
    }
    // A file may rank a merge before the merges that make its parts.
    std::ranges::shuffle(merges, random);
    Result<Bpe> bpe = Bpe::create({{"vocab", vocab}, {"merges", merges}});
    ASSERT_TRUE(bpe.isOk()) << bpe.status().message();
    for (int i = 0; i < 50; ++i) {
      std::string piece;
      for (int n = random() % 24; n > 0; --n)
        piece += "abc"[random() % 3];
      std::vector<int32_t> ids;
      bpe->encode(piece, ids);
      std::vector<std::string> symbols;
      for (int32_t id : ids)
        symbols.emplace_back(*bpe->bytesOf(id));
      ASSERT_EQ(symbols, mergeSlowly(piece, merges)) << piece;
    }
  }
}

} // namespace
} // namespace nibble
