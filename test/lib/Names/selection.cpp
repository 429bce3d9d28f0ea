// The combined meaning of include and exclude, and every way in which they can
// select nothing.
#include "lib/Names/selection.h"

#include <gtest/gtest.h>

using namespace nibble::names;

namespace {

using Texts = std::vector<std::string>;

std::vector<NamedWeight> model(bool isTied = false) {
  std::vector<NamedWeight> weights = {
      {"model.embed_tokens.weight", false, "an embedding"}};
  for (const char *layer : {"model.layers.0.", "model.layers.1."}) {
    weights.push_back({layer + std::string("input_layernorm.weight"), false,
                       "a norm or a bias", true});
    for (const char *module : {"self_attn.q_proj", "self_attn.o_proj",
                               "mlp.up_proj", "mlp.down_proj"})
      weights.push_back({layer + std::string(module) + ".weight", true});
  }
  if (!isTied)
    weights.push_back({"lm_head.weight", true});
  return weights;
}

// The selected modules without "model.layers.", or the problem.
Texts chosen(Texts include, Texts exclude, bool defaultExclude = true,
             bool isTied = false) {
  std::string problem;
  auto selection =
      Selection::parse(include, exclude, defaultExclude, {}, problem);
  if (!selection)
    return {problem};
  auto weights = model(isTied);
  if (problem = selection->problemWith(weights); !problem.empty())
    return {problem};
  Texts names;
  for (const NamedWeight &weight : weights)
    if (weight.canPack && selection->chooses(weight.name)) {
      std::string module(moduleOf(weight.name));
      names.push_back(module.starts_with("model.layers.") ? module.substr(13)
                                                          : module);
    }
  return names;
}

const Texts kAll = {"0.self_attn.q_proj", "0.self_attn.o_proj",
                    "0.mlp.up_proj",      "0.mlp.down_proj",
                    "1.self_attn.q_proj", "1.self_attn.o_proj",
                    "1.mlp.up_proj",      "1.mlp.down_proj"};

TEST(Selection, DefaultsAreAddedTo) {
  EXPECT_EQ(chosen({}, {}), kAll);
  Texts noDown = {"0.self_attn.q_proj", "0.self_attn.o_proj", "0.mlp.up_proj",
                  "1.self_attn.q_proj", "1.self_attn.o_proj", "1.mlp.up_proj"};
  EXPECT_EQ(chosen({}, {"down_proj"}), noDown) << "the head is still left out";
  EXPECT_EQ(chosen({}, {"re:.*down_proj"}), noDown);
  EXPECT_EQ(chosen({}, {"lm_head", "re:.*down_proj"}), noDown);
  Texts withHead = kAll;
  withHead.push_back("lm_head");
  EXPECT_EQ(chosen({}, {}, /*defaultExclude=*/false), withHead);
  EXPECT_EQ(chosen({".*"}, {}), kAll);
}

TEST(Selection, ExcludeWins) {
  EXPECT_EQ(chosen({"mlp", "o_proj"}, {"layers\\.0\\."}),
            (Texts{"1.self_attn.o_proj", "1.mlp.up_proj", "1.mlp.down_proj"}));
  EXPECT_EQ(chosen({"mlp"}, {"self_attn"}).size(), 4u)
      << "an exclude pattern beside include has nothing to do, and is right";
  EXPECT_EQ(chosen({"lm_head"}, {}, /*defaultExclude=*/false),
            Texts{"lm_head"});
}

void expectProblem(const Texts &found,
                   std::initializer_list<const char *> words) {
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].find('\n'), std::string::npos);
  for (const char *word : words)
    EXPECT_NE(found[0].find(word), std::string::npos)
        << found[0] << "\n has no: " << word;
}

TEST(Selection, PatternsWithoutEffectAreErrors) {
  expectProblem(chosen({}, {"down_prj"}),
                {"exclude 'down_prj' matches no weight",
                 "close names: model.layers.0.mlp.down_proj.weight"});
  // The name in the message is the one that the pattern is matched with.
  expectProblem(chosen({}, {"re:.*down_prj"}),
                {"close names: model.layers.0.mlp.down_proj"});
  EXPECT_FALSE(chosen({}, {"re:.*down_prj"})[0].ends_with(".weight"));
  expectProblem(chosen({}, {"^model.layers.0.mlp.down_proj$"}),
                {"it is searched in names of tensors, which end with .weight "
                 "('model.layers.0.mlp.down_proj.weight')"});
  // Norms come first in the model, but last here.
  expectProblem(chosen({}, {"model.layers.9"}),
                {"close names: model.layers.0.self_attn.q_proj.weight, "
                 "model.layers.0.self_attn.o_proj.weight, "
                 "model.layers.0.mlp.up_proj.weight"});
  expectProblem(chosen({}, {"input_layrnorm"}),
                {"close names: model.layers.0.input_layernorm.weight"});
  expectProblem(chosen({"re:.*qproj"}, {}),
                {"include 're:.*qproj' matches no weight", "q_proj"});
  expectProblem(chosen({"mlp", "conv1d"}, {}),
                {"include 'conv1d'",
                 "names are such as model.layers.0.self_attn.q_proj.weight"});
  expectProblem(chosen({}, {"re:down_proj"}),
                {"from the start", "re:.*", "'model.layers.0.mlp.down_proj'"});
  expectProblem(chosen({}, {"re:.*down_proj.weight"}), {"no .weight"});
  expectProblem(
      chosen({"embed_tokens"}, {}),
      {"cannot be packed", "model.embed_tokens.weight is an embedding"});
  expectProblem(chosen({"layernorm"}, {}),
                {"cannot be packed", "a norm or a bias"});
  expectProblem(chosen({"lm_head"}, {}),
                {"left out by default", "default-exclude=false"});
  expectProblem(chosen({"mlp"}, {"mlp"}), {"exclude wins"});
  expectProblem(chosen({}, {"model", "lm_head"}),
                {"nothing is left", "exclude"});
  expectProblem(chosen({"lm_head"}, {}, false, /*isTied=*/true),
                {"include 'lm_head' matches no weight"});
  expectProblem(chosen({""}, {}), {"empty", "default-exclude=false"});
  expectProblem(chosen({}, {"("}), {"exclude '(' is no regular expression"});
  expectProblem(chosen({"^(.|..)+\\d$"}, {}), {"too many steps"});
}

TEST(Selection, AModelWithoutLinears) {
  std::string problem;
  auto selection = Selection::parse({}, {}, true, {}, problem);
  ASSERT_TRUE(selection);
  std::vector<NamedWeight> weights = {
      {"norm.weight", false, "a norm or a bias"}};
  EXPECT_EQ(selection->problemWith({}),
            "nothing can be quantized: there are no parameters");
  EXPECT_EQ(selection->problemWith(weights),
            "nothing can be quantized: no parameter is the weight of a linear "
            "(there are norm.weight)");
  weights.insert(weights.end(), {{"a", false}, {"b", false}, {"c", false}});
  EXPECT_EQ(selection->problemWith(weights),
            "nothing can be quantized: no parameter is the weight of a linear "
            "(there are norm.weight, a, b and c)");
  weights.insert(weights.end(), {{"d", false}, {"e", false}});
  EXPECT_EQ(selection->problemWith(weights),
            "nothing can be quantized: no parameter is the weight of a linear "
            "(there are norm.weight, a, b, c and 2 more)");
}

TEST(Selection, ATiedHeadMayBeExcluded) {
  EXPECT_EQ(chosen({}, {"lm_head"}, true, /*isTied=*/true), kAll);
  EXPECT_EQ(chosen({}, {"re:lm_head$"}, true, /*isTied=*/true), kAll);
}

TEST(Selection, WarnsOfWhatIsNeverPacked) {
  auto warnings = [](Texts exclude) {
    std::string problem;
    auto weights = model();
    auto selection = Selection::parse({}, exclude, true, {}, problem);
    EXPECT_TRUE(selection) << problem;
    return selection->warningsWith(weights);
  };
  EXPECT_EQ(warnings({"layers\\.0\\.", "lm_head"}), Texts{});
  auto found = warnings({"norm", "embed_tokens"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find("exclude 'norm' matches only what is never packed"),
            std::string::npos)
      << found[0];
}

} // namespace
