// Patterns: the names that they are matched with, refused patterns, and
// suggestions of close names for a pattern without a match.
#include "lib/Names/pattern.h"

#include <gtest/gtest.h>

using namespace nibble::names;

namespace {

Pattern parsed(std::string_view text) {
  std::string problem;
  auto pattern = Pattern::parse(text, problem);
  EXPECT_TRUE(pattern) << text << ": " << problem;
  return std::move(*pattern);
}

const std::string kDown = "model.layers.1.mlp.down_proj.weight";

TEST(Pattern, WithoutPrefixIsSearchedInTheTensor) {
  for (const char *text : {"down_proj", "mlp", "layers\\.1\\.", "\\.weight$",
                           "^model", "a|down", "(lm_head)|(down_proj)", "[0-9]",
                           "layers.[1-3]", "d.wn", "\\d", "o{1,1}wn"})
    EXPECT_EQ(parsed(text).matches(kDown), true) << text;
  for (const char *text :
       {"^down_proj", "layers\\.11\\.", "Down_proj", "up_proj"})
    EXPECT_EQ(parsed(text).matches(kDown), false) << text;
}

// Like Python's re.match(expression, module): from the start, but not
// necessarily to the end.
TEST(Pattern, ReMatchesFromTheStartOfTheModule) {
  for (const char *text :
       {"re:.*down_proj", "re:.*mlp.*", "re:model", "re:.*\\.(down|up)_proj$",
        "re:^model\\.layers\\.1\\.", "re:(?!lm_head).*",
        "re:.*layers\\.\\d+\\.mlp\\.(?:gate|down)_proj"})
    EXPECT_EQ(parsed(text).matches(kDown), true) << text;
  for (const char *text :
       {"re:down_proj", "re:.*down_proj\\.weight", "re:layers", "re:.*mlp$"})
    EXPECT_EQ(parsed(text).matches(kDown), false) << text;
}

TEST(Pattern, EntriesOfFilesAreWholeModules) {
  std::string problem;
  auto exact = Pattern::parseModule("model.layers.1.mlp.down_proj", problem);
  ASSERT_TRUE(exact) << problem;
  EXPECT_EQ(exact->matches(kDown), true);
  EXPECT_EQ(exact->matches("model.layers.1.mlp.down_proj.bias"), false);
  auto part = Pattern::parseModule("down_proj", problem);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->matches(kDown), false);
  auto regex = Pattern::parseModule("re:.*down_proj", problem);
  ASSERT_TRUE(regex);
  EXPECT_EQ(regex->matches(kDown), true);
}

TEST(Pattern, RefusesWhatIsNoPattern) {
  for (auto [text, word] :
       std::initializer_list<std::pair<std::string, const char *>>{
           {"", "empty"},
           {"re:", "empty"},
           {" lm_head", "white space"},
           {"lm_head\n", "white space"},
           {"(", "no regular expression"},
           {"re:[", "no regular expression"},
           {"*", "no regular expression"},
           {std::string(20000, 'a'), "16 KiB"}}) {
    std::string problem;
    EXPECT_FALSE(Pattern::parse(text, problem)) << text;
    EXPECT_NE(problem.find(word), std::string::npos) << text << ": " << problem;
  }
}

TEST(Pattern, PathologicalExpressionsEnd) {
  std::string name = std::string(64, 'a') + "b";
  EXPECT_EQ(parsed("^(a|aa)+$").matches(name), std::nullopt);
  EXPECT_EQ(parsed("re:(a|aa)+$").matches(name), std::nullopt);
}

TEST(Pattern, CloseNames) {
  std::vector<std::string> names = {"model.embed_tokens.weight"};
  for (const char *layer : {"0", "1", "2"})
    for (const char *module :
         {"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj",
          "mlp.down_proj", "input_layernorm"})
      names.push_back("model.layers." + std::string(layer) + "." + module +
                      ".weight");
  auto close = [&](std::string_view text) {
    return closeNames(parsed(text), names);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(close("down_prj"), Names{"model.layers.0.mlp.down_proj.weight"});
  EXPECT_EQ(close("re:.*down_porj$"), Names{"model.layers.0.mlp.down_proj"});
  EXPECT_EQ(close("embed_token\\.weight"), Names{"model.embed_tokens.weight"});
  EXPECT_EQ(close("layers\\.7\\.mlp\\.up_proj"),
            Names{"model.layers.0.mlp.up_proj.weight"});
  EXPECT_EQ(close("re:.*self_atn.*"),
            (Names{"model.layers.0.self_attn.q_proj",
                   "model.layers.0.self_attn.o_proj"}));
  EXPECT_EQ(close("conv1d"), Names{});
  EXPECT_EQ(close("[^a]*\\d{3}"), Names{});
}

} // namespace
