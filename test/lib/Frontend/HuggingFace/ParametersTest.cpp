#include "lib/Frontend/HuggingFace/Parameters.h"
#include "test/lib/Frontend/HuggingFace/configs.h"

#include <gmock/gmock.h>

#include <algorithm>

using namespace nibble;
using namespace nibble::huggingface;
using ::testing::HasSubstr;

static std::vector<FoundTensor> completeCheckpoint(const ModelConfig &config) {
  std::vector<FoundTensor> found;
  for (const TensorSpec &spec : modelParameters(config))
    found.push_back({spec.name, DType::kBF16, spec.shape});
  std::reverse(found.begin(), found.end()); // the order of a file means nothing
  return found;
}

static FoundTensor &named(std::vector<FoundTensor> &found, const std::string &name) {
  return *std::find_if(found.begin(), found.end(), [&](const FoundTensor &tensor) { return tensor.name == name; });
}

static void expectRefused(const ModelConfig &config, const std::vector<FoundTensor> &found, const std::string &tensor, const std::string &why) {
  Result<CheckpointPlan> plan = planCheckpoint(config, found);
  ASSERT_FALSE(plan.isOk());
  EXPECT_EQ(plan.status().code(), Code::kBadInput);
  EXPECT_THAT(plan.status().message(), HasSubstr("'" + tensor + "'"));
  EXPECT_THAT(plan.status().message(), HasSubstr(why));
}

TEST(Parameters, OfEachFamily) {
  auto has = [](const ModelConfig &config, const TensorSpec &spec) {
    std::vector<TensorSpec> specs = modelParameters(config);
    return std::find(specs.begin(), specs.end(), spec) != specs.end();
  };
  ModelConfig llama = smallConfig("llama"), qwen2 = smallConfig("qwen2"), qwen3 = smallConfig("qwen3");
  EXPECT_EQ(modelParameters(llama).size(), 3u + 2 * 9);
  EXPECT_EQ(modelParameters(qwen2).size(), 3u + 2 * 12);
  EXPECT_EQ(modelParameters(qwen3).size(), 3u + 2 * 11);
  EXPECT_TRUE(has(llama, {"model.layers.1.self_attn.k_proj.weight", {32, 64}}));
  EXPECT_TRUE(has(qwen2, {"model.layers.0.self_attn.v_proj.bias", {32}}));
  EXPECT_FALSE(has(qwen2, {"model.layers.0.self_attn.o_proj.bias", {64}}));
  EXPECT_TRUE(has(qwen3, {"model.layers.1.self_attn.k_norm.weight", {32}}));
  EXPECT_TRUE(has(qwen3, {"model.layers.1.self_attn.o_proj.weight", {64, 128}}));

  llama.attentionBias = llama.mlpBias = llama.tieWordEmbeddings = true;
  EXPECT_EQ(modelParameters(llama).size(), 2u + 2 * 16);
  EXPECT_TRUE(has(llama, {"model.layers.0.self_attn.o_proj.bias", {64}}));
  EXPECT_TRUE(has(llama, {"model.layers.0.mlp.gate_proj.bias", {96}}));
}

TEST(Parameters, ACompleteCheckpointIsUsedWhole) {
  for (const char *family : {"llama", "qwen2", "qwen3"}) {
    ModelConfig config = smallConfig(family);
    std::vector<FoundTensor> found = completeCheckpoint(config);
    // A buffer that old files carry.
    found.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::kF32, {8}});
    Result<CheckpointPlan> plan = planCheckpoint(config, found);
    ASSERT_TRUE(plan.isOk()) << plan.status().message();
    ASSERT_EQ(plan->sources.size(), modelParameters(config).size());
    for (size_t i = 0; i < plan->sources.size(); ++i) {
      EXPECT_EQ(plan->sources[i].parameter, modelParameters(config)[i]);
      EXPECT_FALSE(plan->sources[i].packed);
    }
    EXPECT_FALSE(plan->redundantHead);
  }
}

TEST(Parameters, MissingUnexpectedDoubledAndMisshapenTensorsAreNamed) {
  ModelConfig config = smallConfig("qwen3");
  std::vector<FoundTensor> found = completeCheckpoint(config);
  std::erase_if(found, [](const FoundTensor &tensor) { return tensor.name == "model.layers.1.mlp.up_proj.weight"; });
  expectRefused(config, found, "model.layers.1.mlp.up_proj.weight", "missing");

  found = completeCheckpoint(config);
  found.push_back({"model.layers.2.mlp.up_proj.weight", DType::kBF16, {96, 64}});
  expectRefused(config, found, "model.layers.2.mlp.up_proj.weight", "does not use it");

  found = completeCheckpoint(config);
  found.push_back(found.front());
  expectRefused(config, found, "lm_head.weight", "twice");

  found = completeCheckpoint(config);
  named(found, "model.embed_tokens.weight").shape = {64, 100};
  expectRefused(config, found, "model.embed_tokens.weight", "[64, 100]");

  found = completeCheckpoint(config);
  named(found, "model.norm.weight").dtype = DType::kI32;
  expectRefused(config, found, "model.norm.weight", "I32");
}

TEST(Parameters, ATiedHeadMayBeStoredAndIsThenCompared) {
  ModelConfig config = smallConfig("llama");
  std::vector<FoundTensor> untied = completeCheckpoint(config);
  config.tieWordEmbeddings = true;
  Result<CheckpointPlan> plan = planCheckpoint(config, untied);
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  EXPECT_TRUE(plan->redundantHead);
  Result<CheckpointPlan> tied = planCheckpoint(config, completeCheckpoint(config));
  ASSERT_TRUE(tied.isOk());
  EXPECT_FALSE(tied->redundantHead);
}

// Replaces a weight by its packed triple, groups of 32.
static void pack(std::vector<FoundTensor> &found, const std::string &name) {
  Shape shape = named(found, name).shape;
  std::erase_if(found, [&](const FoundTensor &tensor) { return tensor.name == name; });
  found.push_back({name + "_packed", DType::kI32, {shape[0], shape[1] / 8}});
  found.push_back({name + "_scale", DType::kBF16, {shape[0], shape[1] / 32}});
  found.push_back({name + "_shape", DType::kI64, {2}});
}

TEST(Parameters, APackedWeightStandsForAWeight) {
  ModelConfig config = smallConfig("llama");
  const std::string name = "model.layers.1.mlp.down_proj.weight"; // [64, 96]
  std::vector<FoundTensor> packed = completeCheckpoint(config);
  pack(packed, name);
  Result<CheckpointPlan> plan = planCheckpoint(config, packed);
  ASSERT_TRUE(plan.isOk()) << plan.status().message();
  for (const ParameterSource &source : plan->sources)
    EXPECT_EQ(source.packed, source.parameter.name == name) << source.parameter.name;

  std::vector<FoundTensor> found = packed;
  std::erase_if(found, [&](const FoundTensor &tensor) { return tensor.name == name + "_scale"; });
  expectRefused(config, found, name + "_scale", "missing");
  found = packed;
  named(found, name + "_packed").shape = {64, 13};
  expectRefused(config, found, name + "_packed", "[64, 12]");
  found = packed;
  named(found, name + "_scale").shape = {64, 5};
  expectRefused(config, found, name + "_scale", "whole groups");
  found = packed;
  found.push_back({name, DType::kBF16, {64, 96}}); // both forms at once
  expectRefused(config, found, name + "_packed", "does not use it");
}
