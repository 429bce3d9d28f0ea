// The registry of model families, and the layers that their configurations
// describe.
#include "runtime/formats/model/family.h"

#include "test/runtime/formats/model/base_config.h"
#include "test/runtime/formats/scratch.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

using namespace nibble;
using nibble::testing::base;
using nibble::testing::checkpointFixtures;
using nibble::testing::fails;
using nibble::testing::fixture;

namespace {

// A family declares the fields that it reads. It does not know the fields of
// other families.
TEST(ModelConfig, FamiliesAreListedAndNamed) {
  std::vector<std::string> names;
  for (const ModelFamily &family : modelFamilies()) {
    names.push_back(family.modelType);
    EXPECT_EQ(familyNamed(family.modelType), &family);
    Json config = base(family.modelType);
    config.erase("max_position_embeddings");
    auto parsed = ModelConfig::parse(config, "config.json");
    ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
    EXPECT_EQ(parsed->maxPositions, family.maxPositions);
    EXPECT_TRUE(parsed->warnings.empty()) << parsed->warnings[0];
  }
  EXPECT_GE(names.size(), 3u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(familyNames(" and "),
            fmt::format("{} and {}",
                        fmt::join(names.begin(), names.end() - 1, ", "),
                        names.back()));
  // An unknown family is refused with the list of known ones.
  EXPECT_EQ(familyNamed("gemma3"), nullptr);
  EXPECT_TRUE(fails(ModelConfig::parse(base("gemma3"), "config.json").status(),
                    Code::kBadInput, {"gemma3", familyNames(", ")}));
}

// What tests ask of every checkpoint of test/fixtures, they ask of every
// family.
TEST(ModelConfig, EveryFamilyHasACheckpoint) {
  std::set<std::string> types;
  for (const std::string &name : checkpointFixtures()) {
    auto config = ModelConfig::read(fixture(name));
    ASSERT_TRUE(config.isOk()) << config.status().message();
    types.insert(config->modelType);
  }
  for (const ModelFamily &family : modelFamilies())
    EXPECT_EQ(types.count(family.modelType), 1u)
        << "test/fixtures has no " << family.modelType;
}

TEST(ModelConfig, WindowsAreOfSomeLayers) {
  auto windowsOf = [](const char *patch) {
    Json config = base();
    config.update(Json::parse(patch));
    auto parsed = ModelConfig::parse(config, "config.json");
    EXPECT_TRUE(parsed.isOk()) << patch;
    std::vector<int64_t> windows;
    if (parsed.isOk())
      for (const DecoderLayer &layer : parsed->layers)
        windows.push_back(layer.window);
    return windows;
  };
  EXPECT_EQ(
      windowsOf(
          R"({"model_type":"qwen2","use_sliding_window":true,"sliding_window":16,"max_window_layers":1})"),
      (std::vector<int64_t>{0, 16}));
  EXPECT_EQ(
      windowsOf(
          R"({"model_type":"qwen2","use_sliding_window":false,"sliding_window":16,"max_window_layers":1})"),
      (std::vector<int64_t>{0, 0}));
  // Mistral's has no switch: 4096 where the file is silent, none for null.
  EXPECT_EQ(windowsOf(R"({"model_type":"mistral","sliding_window":8})"),
            (std::vector<int64_t>{8, 8}));
  EXPECT_EQ(windowsOf(R"({"model_type":"mistral"})"),
            (std::vector<int64_t>{4096, 4096}));
  EXPECT_EQ(windowsOf(R"({"model_type":"mistral","sliding_window":null})"),
            (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(
      windowsOf(
          R"({"model_type":"qwen3","use_sliding_window":true,"sliding_window":8,"max_window_layers":2,
                          "layer_types":["sliding_attention","full_attention"]})"),
      (std::vector<int64_t>{8, 0}));
}

// The keys of public checkpoints of each family, with the values that matter
// here. The sizes are ours.
TEST(ModelConfig, KeySetsOfPublicModelsAreRead) {
  struct Case {
    const char *name, *type, *keys;
    size_t warnings;
  };
  const Case cases[] = {
      {"Llama 2", "llama",
       R"({"_name_or_path":"x","architectures":["LlamaForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu",
           "initializer_range":0.02,"pretraining_tp":1,"rope_scaling":null,"tie_word_embeddings":false,
           "torch_dtype":"float16","transformers_version":"4.31.0.dev0","use_cache":true,"pad_token_id":0})",
       0},
      {"Llama 3.1", "llama",
       R"({"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":300,
           "eos_token_id":[301,308,309],"hidden_act":"silu","initializer_range":0.02,"mlp_bias":false,"pretraining_tp":1,
           "rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
           "original_max_position_embeddings":32,"rope_type":"llama3"},"tie_word_embeddings":false,
           "torch_dtype":"bfloat16","transformers_version":"4.42.3","use_cache":true})",
       0},
      {"CodeLlama, DeepSeek-Coder", "llama",
       R"({"rope_scaling":{"factor":4.0,"type":"linear"},"rope_theta":100000,"pretraining_tp":1,"bos_token_id":313,
           "eos_token_id":314,"use_cache":true})",
       0},
      {"Vicuna", "llama",
       R"({"max_sequence_length":2048,"pad_token_id":0,"tokenizer_class":"LlamaTokenizer","num_labels":2,"max_length":20,
           "temperature":1.0,"top_k":50,"do_sample":false,"id2label":{"0":"LABEL_0"},"tie_encoder_decoder":false,
           "add_cross_attention":false,"is_encoder_decoder":false,"cross_attention_hidden_size":null})",
       1},
      {"SmolLM2", "llama",
       R"({"is_llama_config":true,"rope_interleaved":false,"pad_token_id":2,"transformers.js_config":{"kv_cache_dtype":
           {"q4f16":"float16"}},"rope_theta":100000,"tie_word_embeddings":true,"pretraining_tp":1})",
       1},
      {"InternLM as llama", "llama",
       R"({"attn_implementation":"eager","bias":false,"pad_token_id":2,"rope_scaling":{"type":"linear","factor":2.0}})",
       1},
      {"Llama 2 with yarn", "llama",
       R"({"rope_scaling":{"factor":16.0,"finetuned":true,"original_max_position_embeddings":32,"type":"yarn"},
           "_flash_attn_2_enabled":true})",
       2},
      {"Mistral 7B v0.3", "mistral",
       R"({"architectures":["MistralForCausalLM"],"attention_dropout":0.0,"bos_token_id":1,"eos_token_id":2,
           "hidden_act":"silu","initializer_range":0.02,"rope_theta":1000000.0,"sliding_window":null,
           "tie_word_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.42.0.dev0","use_cache":true})",
       0},
      {"Mistral Nemo", "mistral",
       R"({"head_dim":32,"rope_theta":1000000.0,"sliding_window":null,"torch_dtype":"bfloat16","use_cache":true})",
       0},
      {"Qwen2.5", "qwen2",
       R"({"attention_dropout":0.0,"bos_token_id":300,"eos_token_id":302,"hidden_act":"silu","max_window_layers":21,
           "rope_theta":1000000.0,"sliding_window":32768,"tie_word_embeddings":true,"use_cache":true,"use_mrope":false,
           "use_sliding_window":false})",
       0},
      {"early Qwen2", "qwen2",
       R"({"sliding_window":32768,"max_window_layers":28,"use_cache":true})",
       0},
      {"Qwen3, transformers 5", "qwen3",
       R"({"attention_bias":false,"dtype":"bfloat16","head_dim":16,"layer_types":["full_attention","full_attention"],
           "max_window_layers":36,"rope_parameters":{"rope_theta":1000000,"rope_type":"default"},"rope_theta":1000000,
           "sliding_window":null,"use_sliding_window":false,"pad_token_id":null})",
       0},
      {"R1-Distill-Qwen", "qwen2",
       R"({"bos_token_id":303,"eos_token_id":303,"max_window_layers":21,"sliding_window":64,"use_mrope":false,
           "use_sliding_window":false,"torch_dtype":"bfloat16"})",
       0},
  };
  for (const Case &test : cases) {
    Json config = base(test.type);
    config.update(Json::parse(test.keys));
    auto parsed = ModelConfig::parse(config, test.name);
    ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
    EXPECT_EQ(parsed->warnings.size(), test.warnings)
        << test.name << ": "
        << (parsed->warnings.empty() ? "" : parsed->warnings[0]);
    for (const DecoderLayer &layer : parsed->layers)
      EXPECT_EQ(layer.window, 0) << test.name;
  }
}

} // namespace
