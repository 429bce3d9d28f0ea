// generation_config.json beside config.json: which of them decides where a text
// ends, and which fields of both are not applied.
#include "runtime/formats/model/model_config.h"

#include "test/runtime/formats/model/base_config.h"
#include "test/runtime/formats/scratch.h"

#include <algorithm>

using namespace nibble;
using nibble::testing::base;
using nibble::testing::fails;
using nibble::testing::Scratch;

namespace {

TEST(ModelConfig, GenerationConfigWinsForStopping) {
  Scratch scratch;
  Json config = base();
  config["eos_token_id"] = 2;
  scratch.put("config.json", config.dump());
  EXPECT_EQ(ModelConfig::read(scratch.path())->eosTokens,
            std::vector<int64_t>{2});
  scratch.put("generation_config.json", R"({"eos_token_id":[7,9]})");
  EXPECT_EQ(ModelConfig::read(scratch.path())->eosTokens,
            (std::vector<int64_t>{7, 9}));
  scratch.put("generation_config.json", R"({"temperature":1.0})");
  EXPECT_EQ(ModelConfig::read(scratch.path())->eosTokens,
            std::vector<int64_t>{2});
  scratch.put("generation_config.json", R"({"eos_token_id":[7,320]})");
  EXPECT_TRUE(fails(
      ModelConfig::read(scratch.path()).status(), Code::kBadInput,
      {"generation_config.json", "eos_token_id 320", "vocabulary of 320"}));
  scratch.put("generation_config.json",
              R"({"eos_token_id":7,"pad_token_id":999,"bos_token_id":1})");
  ASSERT_TRUE(ModelConfig::read(scratch.path()).isOk());
  ASSERT_EQ(ModelConfig::read(scratch.path())->warnings.size(), 1u);
  EXPECT_NE(
      ModelConfig::read(scratch.path())->warnings[0].find("pad_token_id 999"),
      std::string::npos);
  scratch.put("generation_config.json", "\xEF\xBB\xBF{\"eos_token_id\":9}\r\n");
  ASSERT_TRUE(ModelConfig::read(scratch.path()).isOk());
  EXPECT_EQ(ModelConfig::read(scratch.path())->eosTokens,
            std::vector<int64_t>{9});
  scratch.put("generation_config.json", "[]");
  EXPECT_TRUE(fails(ModelConfig::read(scratch.path()).status(), Code::kBadInput,
                    {"generation_config.json"}));
  scratch.put("generation_config.json", "{nonsense");
  EXPECT_TRUE(fails(ModelConfig::read(scratch.path()).status(), Code::kBadInput,
                    {"generation_config.json"}));
  scratch.put("config.json", "{\"hidden_size\":NaN}");
  EXPECT_TRUE(fails(ModelConfig::read(scratch.path()).status(), Code::kBadInput,
                    {"config.json"}));
  EXPECT_TRUE(fails(ModelConfig::read(scratch / "nowhere").status(),
                    Code::kBadInput, {"nowhere/config.json"}));
}

TEST(ModelConfig, GenerationConfigSaysWhatIsIgnored) {
  Scratch scratch;
  scratch.put("config.json", base().dump());
  auto warningsOf = [&](const char *generation) {
    scratch.put("generation_config.json", generation);
    auto read = ModelConfig::read(scratch.path());
    EXPECT_TRUE(read.isOk()) << read.status().message();
    return read.isOk() ? read->warnings : std::vector<std::string>();
  };
  auto typo = warningsOf(R"({"eos_tokn_id":7})");
  ASSERT_EQ(typo.size(), 1u);
  EXPECT_NE(
      typo[0].find("generation_config.json: unknown field \"eos_tokn_id\""),
      std::string::npos)
      << typo[0];
  EXPECT_NE(typo[0].find("close names: eos_token_id"), std::string::npos)
      << typo[0];
  auto far = warningsOf(R"({"zzz":7,"yyy":null})");
  ASSERT_EQ(far.size(), 1u);
  EXPECT_EQ(far[0].find("close"), std::string::npos) << far[0];
  for (const char *stop :
       {R"({"stop_strings":["###"]})", R"({"stop_strings":"###"})"}) {
    auto warnings = warningsOf(stop);
    ASSERT_EQ(warnings.size(), 1u) << stop;
    EXPECT_NE(warnings[0].find("stop_strings is not applied"),
              std::string::npos)
        << warnings[0];
  }
  EXPECT_TRUE(warningsOf(R"({"stop_strings":null})").empty());
  EXPECT_TRUE(warningsOf(R"({"stop_strings":[]})").empty());
  // The values of public models.
  EXPECT_TRUE(
      warningsOf(
          R"({"_from_model_config":true,"bos_token_id":1,"eos_token_id":[2,3],"pad_token_id":2,
                             "do_sample":true,"temperature":0.6,"top_k":20,"top_p":0.95,"min_p":0,"max_length":4096,
                             "max_new_tokens":2048,"repetition_penalty":1.05,"transformers_version":"4.51.0"})")
          .empty());
  // The same in config.json.
  Json config = base();
  config["hiden_act"] = "silu_of_theirs";
  auto parsed = ModelConfig::parse(config, "config.json");
  ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
  ASSERT_EQ(parsed->warnings.size(), 1u);
  EXPECT_NE(parsed->warnings[0].find("close names: hidden_act"),
            std::string::npos)
      << parsed->warnings[0];
}

// Tokens that other tools force or forbid, a start token, and two types for one
// model. Each gets one warning, in both files.
TEST(ModelConfig, WhatIsNotAppliedIsSaid) {
  auto warningsOf = [](const char *fields) {
    Json config = base();
    config.update(Json::parse(fields));
    auto parsed = ModelConfig::parse(config, "config.json");
    EXPECT_TRUE(parsed.isOk()) << parsed.status().message();
    Scratch scratch;
    scratch.put("config.json", base().dump());
    scratch.put("generation_config.json", fields);
    auto read = ModelConfig::read(scratch.path());
    EXPECT_TRUE(read.isOk()) << read.status().message();
    EXPECT_EQ(parsed->warnings.size(), read->warnings.size()) << fields;
    return parsed->warnings;
  };
  struct Case {
    const char *fields, *says;
  } cases[] = {
      {R"({"forced_eos_token_id":2})", "forced_eos_token_id is not applied"},
      {R"({"forced_bos_token_id":2})", "forced_bos_token_id is not applied"},
      {R"({"suppress_tokens":[1,2]})", "suppress_tokens is not applied"},
      {R"({"begin_suppress_tokens":[1]})",
       "begin_suppress_tokens is not applied"},
      {R"({"bad_words_ids":[[1]]})", "bad_words_ids is not applied"},
      {R"({"decoder_start_token_id":16777216})",
       "decoder_start_token_id 16777216 is outside the vocabulary"},
      {R"({"decoder_start_token_id":"x"})",
       "decoder_start_token_id \"x\" is outside the vocabulary"}};
  for (const Case &c : cases) {
    auto warnings = warningsOf(c.fields);
    ASSERT_EQ(warnings.size(), 1u) << c.fields;
    EXPECT_NE(warnings[0].find(std::string("config.json: ") + c.says),
              std::string::npos)
        << warnings[0];
  }
  EXPECT_TRUE(
      warningsOf(
          R"({"forced_eos_token_id":null,"suppress_tokens":[],"decoder_start_token_id":1})")
          .empty());

  auto typesOf = [](const char *older, const char *newer) {
    Json config = base();
    config["torch_dtype"] = older;
    config["dtype"] = newer;
    auto parsed = ModelConfig::parse(config, "config.json");
    EXPECT_TRUE(parsed.isOk());
    EXPECT_EQ(parsed->dtype, newer);
    return parsed->warnings;
  };
  EXPECT_TRUE(typesOf("bfloat16", "bfloat16").empty());
  auto warnings = typesOf("float16", "bfloat16");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(
      warnings[0].find("config.json: torch_dtype is \"float16\" and dtype "
                       "is \"bfloat16\", which is the one that is taken"),
      std::string::npos)
      << warnings[0];
}

} // namespace
