// config.json: both spellings, the rope formulas compared with another
// implementation, and all refusals.
#include "runtime/formats/model/model_config.h"

#include "lib/Numerics/ulp.h"
#include "runtime/formats/checkpoint/checkpoint.h"
#include "test/runtime/formats/model/base_config.h"
#include "test/runtime/formats/scratch.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace nibble;
using nibble::testing::base;
using nibble::testing::checkpointFixtures;
using nibble::testing::fails;
using nibble::testing::fixture;
using nibble::testing::Scratch;

namespace {

Status refusal(const Json &config) {
  return ModelConfig::parse(config, "config.json").status();
}

TEST(ModelConfig, FixturesAreRead) {
  auto llama = ModelConfig::read(fixture("llama"));
  ASSERT_TRUE(llama.isOk()) << llama.status().message();
  EXPECT_EQ(llama->modelType, "llama");
  EXPECT_EQ(llama->layers, std::vector<DecoderLayer>(2));
  EXPECT_EQ(llama->headDim, 16);
  EXPECT_EQ(llama->kvHeads, 2);
  EXPECT_EQ(llama->normEpsilon, 1e-5);
  EXPECT_EQ(llama->rope.type, RopeType::kLlama3);
  EXPECT_EQ(llama->dtype, "bfloat16");
  EXPECT_EQ(llama->eosTokens, std::vector<int64_t>{2});
  EXPECT_EQ(llama->bosToken, 1);
  EXPECT_FALSE(llama->padToken);
  EXPECT_FALSE(llama->tieWordEmbeddings);
  EXPECT_TRUE(llama->warnings.empty()) << llama->warnings[0];

  auto bias = ModelConfig::read(fixture("llama_bias"));
  ASSERT_TRUE(bias.isOk()) << bias.status().message();
  DecoderLayer biased;
  biased.qkvBias = biased.outputBias = biased.mlpBias = true;
  EXPECT_EQ(bias->layers, std::vector<DecoderLayer>(1, biased));
  EXPECT_EQ(bias->rope.type, RopeType::kLinear);
  EXPECT_EQ(bias->rope.theta, 5000.0);
  EXPECT_EQ(bias->dtype, "float32");
  EXPECT_EQ(bias->eosTokens, (std::vector<int64_t>{2, 5}));

  auto qwen2 = ModelConfig::read(fixture("qwen2"));
  ASSERT_TRUE(qwen2.isOk()) << qwen2.status().message();
  DecoderLayer onlyInputs;
  onlyInputs.qkvBias = true;
  EXPECT_EQ(qwen2->layers, std::vector<DecoderLayer>(2, onlyInputs));
  EXPECT_TRUE(qwen2->tieWordEmbeddings);

  auto qwen3 = ModelConfig::read(fixture("qwen3"));
  ASSERT_TRUE(qwen3.isOk()) << qwen3.status().message();
  DecoderLayer normed;
  normed.qkNorm = true;
  EXPECT_EQ(qwen3->layers,
            std::vector<DecoderLayer>(qwen3->layers.size(), normed));
  EXPECT_EQ(qwen3->headDim, 32);
  EXPECT_EQ(qwen3->rope.type, RopeType::kYarn);
  EXPECT_TRUE(qwen3->warnings.empty()) << qwen3->warnings[0];
}

TEST(ModelConfig, BothSpellingsMeanTheSame) {
  for (const char *name : {"llama", "qwen3"}) {
    auto v5 = ModelConfig::read(fixture(name));
    auto json = readJsonFile(fixture(name) + "/config_v4.json");
    ASSERT_TRUE(v5.isOk() && json.isOk());
    EXPECT_TRUE(json->contains("rope_scaling") &&
                json->contains("torch_dtype"));
    auto v4 = ModelConfig::parse(*json, "config_v4.json");
    ASSERT_TRUE(v4.isOk()) << v4.status().message();
    EXPECT_EQ(v4->rope, v5->rope) << name;
    EXPECT_EQ(v4->dtype, v5->dtype);
    EXPECT_EQ(v4->headDim, v5->headDim);
    EXPECT_EQ(v4->maxPositions, v5->maxPositions);
  }
  Json older = base();
  older["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  auto parsed = ModelConfig::parse(older, "x");
  ASSERT_TRUE(parsed.isOk());
  EXPECT_EQ(parsed->rope.type, RopeType::kLinear);
}

// transformers computes in float32, so its power may be off by an ulp or two.
// Ours is rounded once.
TEST(ModelConfig, RopeAgreesWithTransformers) {
  for (const std::string &name : checkpointFixtures()) {
    auto config = ModelConfig::read(fixture(name));
    auto expected =
        SafetensorsFile::open(fixture(name) + "/expected.safetensors");
    ASSERT_TRUE(config.isOk() && expected.isOk()) << name;
    auto wanted = expected->read(*expected->find("inverse_frequencies"));
    auto factor = expected->read(*expected->find("attention_factor"));
    auto found = config->inverseFrequencies();
    ASSERT_EQ(static_cast<int64_t>(found.size()), wanted->elements());
    int64_t worst = 0;
    for (size_t i = 0; i < found.size(); ++i)
      worst = std::max(worst,
                       numerics::ulpDistance(found[i], wanted->as<float>()[i]));
    EXPECT_LE(worst, 4) << name;
    EXPECT_LE(numerics::ulpDistance(config->attentionFactor(),
                                    factor->as<float>()[0]),
              1)
        << name;
    std::printf(
        "%s: %zu inverse frequencies within %lld ulp, attention factor %.9g\n",
        name.c_str(), found.size(), static_cast<long long>(worst),
        static_cast<double>(config->attentionFactor()));
  }
}

TEST(ModelConfig, RopeByHand) {
  Rope rope;
  rope.theta = 10000.0;
  EXPECT_EQ(rope.inverseFrequencies(4), (std::vector<float>{1.0f, 0.01f}));
  // llama3: the high frequency stays, the low one is divided.
  rope = {RopeType::kLlama3, 10000.0, 8.0, 16.0, 1.0, 4.0};
  EXPECT_EQ(rope.inverseFrequencies(4)[1], static_cast<float>(0.01 / 8.0));
  // yarn with equal mscale and mscale_all_dim has no factor. Otherwise the
  // factor is 0.1 ln(factor) + 1.
  Json config = base();
  config["rope_scaling"] = {{"rope_type", "yarn"},
                            {"factor", 32.0},
                            {"mscale", 1.0},
                            {"mscale_all_dim", 1.0}};
  EXPECT_EQ(ModelConfig::parse(config, "x")->rope.attentionFactor, 1.0);
  EXPECT_EQ(ModelConfig::parse(config, "x")->rope.originalMaxPositions, 64.0)
      << "max_position_embeddings by default";
  config["rope_scaling"].erase("mscale");
  EXPECT_EQ(ModelConfig::parse(config, "x")->rope.attentionFactor,
            0.1 * std::log(32.0) + 1.0);
  config["rope_scaling"]["attention_factor"] = 1.25;
  EXPECT_EQ(ModelConfig::parse(config, "x")->rope.attentionFactor, 1.25);
}

TEST(ModelConfig, RequiredFieldsAreNamed) {
  for (const char *field :
       {"model_type", "hidden_size", "intermediate_size", "num_hidden_layers",
        "vocab_size", "num_attention_heads"}) {
    Json config = base();
    config.erase(field);
    EXPECT_TRUE(fails(refusal(config), Code::kBadInput,
                      {"config.json", field, "missing"}));
    config[field] = "text";
    if (std::string(field) != "model_type")
      EXPECT_TRUE(fails(refusal(config), Code::kBadInput, {field, "integer"}));
    for (Json value : {Json(0), Json(-1), Json(1e300), Json(INT64_MAX),
                       Json(UINT64_MAX), Json(true), Json(Json::array())}) {
      config[field] = value;
      EXPECT_TRUE(fails(refusal(config), Code::kBadInput, {field})) << value;
    }
  }
}

TEST(ModelConfig, ContradictionsAndForeignMathematicsAreRefused) {
  struct Case {
    const char *patch; // merged into the base
    std::vector<const char *> words;
  };
  const Case cases[] = {
      {R"({"model_type":"gemma3"})", {"gemma3", "llama, "}},
      {R"({"model_type":"kimi_k2"})", {"kimi_k2"}},
      {R"({"num_key_value_heads":3})",
       {"num_attention_heads = 4", "num_key_value_heads = 3"}},
      {R"({"num_attention_heads":6,"num_key_value_heads":6})",
       {"hidden_size = 64", "head_dim"}},
      {R"({"head_dim":15})", {"head_dim = 15"}},
      {R"({"head_dim":-8})", {"head_dim"}},
      {R"({"rms_norm_eps":0})", {"rms_norm_eps"}},
      {R"({"rms_norm_eps":-1e-5})", {"rms_norm_eps"}},
      {R"({"rms_norm_eps":"small"})", {"rms_norm_eps"}},
      {R"({"rope_theta":0})", {"rope_theta"}},
      {R"({"rope_theta":-10000})", {"rope_theta"}},
      {R"({"rope_scaling":{"rope_type":"longrope","factor":2}})",
       {"longrope", "llama3 and yarn"}},
      {R"({"rope_scaling":{"rope_type":"dynamic","factor":2}})", {"dynamic"}},
      {R"({"rope_scaling":{"rope_type":"linear"}})", {"factor", "missing"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":0}})", {"factor"}},
      {R"({"rope_scaling":{"rope_type":"llama3","factor":8,"original_max_position_embeddings":32,"low_freq_factor":4,"high_freq_factor":1}})",
       {"high_freq_factor"}},
      {R"({"rope_scaling":{"rope_type":"llama3","factor":8,"original_max_position_embeddings":32,"low_freq_factor":1}})",
       {"high_freq_factor", "missing"}},
      {R"({"rope_scaling":{"rope_type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}})",
       {"original_max_position_embeddings", "missing"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":-2}})", {"factor"}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":null}})",
       {"factor", "missing"}},
      {R"({"rope_scaling":{"factor":2}})",
       {"rope_scaling.factor", "rope_type"}},
      {R"({"rope_scaling":{"factor":2,"foo":1}})",
       {"rope_scaling.factor", "rope_type"}},
      {R"({"rope_parameters":{"rope_theta":500000.0,"beta_fast":32}})",
       {"rope_parameters.beta_fast", "rope_type"}},
      {R"({"rope_scaling":{"type":"linear","rope_type":"yarn","factor":2}})",
       {"linear", "yarn"}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":2,"attention_factor":-1}})",
       {"attention_factor"}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":2,"attention_factor":"1"}})",
       {"attention_factor"}},
      {R"({"rope_scaling":{"rope_type":"default","mrope_section":[16,24,24]}})",
       {"rope_scaling.mrope_section"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":2,"attn_temperature":0.5}})",
       {"rope_scaling.attn_temperature"}},
      {R"({"extras":{"deep":[{"final_logit_softcapping":30.0}]}})",
       {"extras.deep[0].final_logit_softcapping"}},
      {R"({"eos_token_id":320})", {"eos_token_id 320", "vocabulary of 320"}},
      {R"({"eos_token_id":[2,1000]})", {"eos_token_id 1000"}},
      {R"({"is_causal":false})", {"is_causal"}},
      // Disables something that every supported model has.
      {R"({"use_rope":false})", {"use_rope"}},
      {R"({"use_rope":0})", {"use_rope"}},
      {R"({"use_rotary_embeddings":false})", {"use_rotary_embeddings"}},
      {R"({"rope_is_neox_style":false})", {"rope_is_neox_style"}},
      {R"({"causal":false})", {"causal"}},
      {R"({"use_causal":false})", {"use_causal"}},
      {R"({"use_causal_mask":false})", {"use_causal_mask"}},
      {R"({"extras":{"causal":false}})", {"extras.causal"}},
      {R"({"rms_norm":false})", {"rms_norm"}},
      {R"({"use_rms_norm":false})", {"use_rms_norm"}},
      {R"({"use_rmsnorm":false})", {"use_rmsnorm"}},
      {R"({"pre_norm":false})", {"pre_norm"}},
      {R"({"final_layernorm":false})", {"final_layernorm"}},
      {R"({"scale_attn_weights":false})", {"scale_attn_weights"}},
      {R"({"use_glu":false})", {"use_glu"}},
      {R"({"gated_mlp":false})", {"gated_mlp"}},
      {R"({"use_swiglu":false})", {"use_swiglu"}},
      {R"({"use_qk_norm":true})", {"use_qk_norm"}},
      {R"({"model_type":"qwen2","qk_layernorm":true})", {"qk_layernorm"}},
      {R"({"model_type":"qwen3","use_qk_norm":false})", {"use_qk_norm"}},
      {R"({"model_type":"qwen3","attn_config":{"qk_norm":false}})",
       {"attn_config.qk_norm"}},
      {R"({"position_embedding_type":"alibi"})", {"position_embedding_type"}},
      {R"({"position_embedding_type":"none"})", {"position_embedding_type"}},
      {R"({"pos_emb":"learned"})", {"pos_emb"}},
      {R"({"norm_type":"layernorm"})", {"norm_type"}},
      {R"({"norm_class_name":"LayerNorm"})", {"norm_class_name"}},
      {R"({"activation_function":"gelu"})", {"activation_function"}},
      {R"({"act_fn":"relu"})", {"act_fn"}},
      // Words of mathematics next to words that say how something is computed.
      {R"({"attn_type":"linear"})", {"attn_type"}},
      {R"({"attn_type":"sliding_window"})", {"attn_type"}},
      {R"({"attention_class":"SlidingWindowAttention"})", {"attention_class"}},
      {R"({"attn_implementation":"linear_attention"})",
       {"attn_implementation"}},
      {R"({"attention_kernel_size":3})", {"attention_kernel_size"}},
      {R"({"attn_config":{"attn_impl":"flash","softcap":30.0}})",
       {"attn_config.softcap"}},
      {R"({"attn_config":{"attn_impl":"flash","chunk":64}})",
       {"attn_config.chunk"}},
      {R"({"attn_config":{"attn_impl":"flash","alibi":true}})",
       {"attn_config.alibi"}},
      {R"({"flash_config":{"sliding_window":64}})",
       {"flash_config.sliding_window"}},
      {R"({"backend":{"attention_bias":true}})", {"backend.attention_bias"}},
      {R"({"attention_backend_sinks":true})", {"attention_backend_sinks"}},
      {R"({"attention_multiplier":1.0})",
       {"attention_multiplier"}}, // it replaces 1 / sqrt(head_dim)
      {R"({"softmax_scale":1.0})", {"softmax_scale"}},
      {R"({"logit_scale":true})", {"logit_scale"}},
      {R"({"rotary_pct":0.25})", {"rotary_pct"}},
      {R"({"rope_scaling":{"rope_type":"default","partial_rotary_factor":0.5}})",
       {"partial_rotary_factor"}},
      {R"({"pruned_heads":{"0":[1]}})", {"pruned_heads"}},
      {R"({"flash_attention_window_size":64})",
       {"flash_attention_window_size"}},
      {R"({"clip_qkv":8.0})", {"clip_qkv"}},
      {R"({"query_pre_attn_scalar":144})", {"query_pre_attn_scalar"}},
      {R"({"embedding_multiplier":12.0})", {"embedding_multiplier"}},
      {R"({"use_parallel_residual":true})", {"use_parallel_residual"}},
      {R"({"dual_chunk_attention_config":{"chunk_size":262144}})",
       {"dual_chunk_attention_config"}},
      {R"({"rope_interleaved":true})", {"rope_interleaved"}},
      {R"({"no_rope_layers":[0,1]})", {"no_rope_layers"}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":"4"}})", {"factor"}},
      {R"({"rope_scaling":"yarn"})", {"rope_scaling"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":2},"rope_parameters":{"rope_type":"linear","factor":3}})",
       {"differ"}},
      {R"({"rope_parameters":{"rope_type":"default","rope_theta":1000}})",
       {"rope_theta", "twice"}},
      {R"({"rope_parameters":{"full_attention":{"rope_type":"default"}}})",
       {"full_attention"}},
      {R"({"partial_rotary_factor":0.5})", {"partial_rotary_factor"}},
      {R"({"hidden_act":"gelu"})", {"gelu"}},
      {R"({"mlp_bias":1})", {"mlp_bias"}},
      {R"({"model_type":"qwen3","mlp_bias":true})", {"mlp_bias"}},
      {R"({"model_type":"mistral","attention_bias":true})", {"attention_bias"}},
      {R"({"model_type":"mistral","sliding_window":0})", {"sliding_window"}},
      {R"({"model_type":"mistral","layer_types":["full_attention","sliding_attention"]})",
       {"layer_types"}},
      {R"({"sliding_window":4096})", {"sliding_window"}},
      {R"({"model_type":"qwen2","layer_types":["full_attention","sliding_attention"],"sliding_window":16,"use_sliding_window":false})",
       {"sliding_attention", "use_sliding_window"}},
      {R"({"layer_types":["full_attention","sliding_attention"]})",
       {"sliding_attention"}},
      {R"({"layer_types":["full_attention"]})", {"layer_types"}},
      {R"({"attn_logit_softcapping":50.0})", {"attn_logit_softcapping"}},
      {R"({"final_logit_softcapping":30.0})", {"final_logit_softcapping"}},
      {R"({"logit_scale":0.5})", {"logit_scale"}},
      {R"({"residual_multiplier":0.2})", {"residual_multiplier"}},
      {R"({"num_experts":8})", {"num_experts"}},
      {R"({"eos_token_id":"</s>"})", {"eos_token_id"}},
      {R"({"eos_token_id":[2,-5]})", {"eos_token_id"}},
      {R"({"bos_token_id":[1]})", {"bos_token_id"}},
      {R"({"tie_word_embeddings":"yes"})", {"tie_word_embeddings"}},
      {R"({"quantization_config":{"quant_method":"bitsandbytes"}})",
       {"bitsandbytes", "compressed-tensors"}},
      {R"({"quantization_config":{}})", {"quant_method"}},
      {R"({"quantization_config":[]})", {"quantization_config"}},
      {R"({"torch_dtype":16})", {"torch_dtype"}},
  };
  int count = 0;
  for (const Case &test : cases) {
    Json config = base();
    config.update(Json::parse(test.patch));
    Status status = refusal(config);
    for (const char *word : test.words)
      EXPECT_TRUE(fails(status, Code::kBadInput, {"config.json", word}))
          << test.patch;
    ++count;
  }
  std::printf("%d configurations refused by name\n", count);
  EXPECT_TRUE(
      fails(refusal(Json::array()), Code::kBadInput, {"not an object"}));
}

TEST(ModelConfig, HarmlessThingsAreNot) {
  Json config = base();
  config.update(Json::parse(R"({
         "auto_map":{"AutoModel":"evil.py--Model"}, "attn_logit_softcapping":null, "num_experts":0, "use_cache":false,
         "sliding_window":null, "attention_dropout":0.0, "num_key_value_heads":null, "head_dim":null,
         "eos_token_id":null, "pad_token_id":-1, "unsloth_fixed":true, "rope_scaling":null,
         "hidden_act":"silu", "quantization_config":null})"));
  auto parsed = ModelConfig::parse(config, "x");
  ASSERT_TRUE(parsed.isOk()) << parsed.status().message();
  EXPECT_EQ(parsed->kvHeads, 4) << "null means as many as heads";
  EXPECT_EQ(parsed->headDim, 16);
  EXPECT_FALSE(parsed->padToken);
  ASSERT_EQ(parsed->warnings.size(), 1u);
  EXPECT_NE(parsed->warnings[0].find("unsloth_fixed"), std::string::npos);
  Json windowOff = base("qwen2");
  windowOff["use_sliding_window"] = false;
  windowOff["sliding_window"] = 32768;
  EXPECT_TRUE(ModelConfig::parse(windowOff, "x").isOk());
}

// One rule for every depth: each key gets its message, and there are no others.
TEST(ModelConfig, KeysThatAreNotKnownAreNamedAtEveryDepth) {
  struct Case {
    const char *patch;
    std::vector<const char *> warnings; // one warning each, with these words
  };
  const Case cases[] = {
      {R"({"foo":1})", {"unknown field \"foo\""}},
      {R"({"foo":false,"bar":null,"baz":[]})", {"unknown field \"foo\""}},
      {R"({"foo":{"factor":2}})", {"unknown field \"foo\""}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":2,"foo":1}})",
       {"unknown field \"rope_scaling.foo\""}},
      {R"({"rope_parameters":{"rope_type":"default","rope_theta":500000.0,"foo":1,"bar":"x"}})",
       {"\"rope_parameters.bar\"", "\"rope_parameters.foo\""}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":2,"original_max_position_embeddings":32,"truncat":false}})",
       {"\"rope_scaling.truncat\""}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":2}})",
       {"original_max_position_embeddings"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":0.5}})",
       {"factor is 0.5"}},
      {R"({"rope_scaling":{"rope_type":"linear","factor":2,"beta_fast":32}})",
       {"\"rope_scaling.beta_fast\" has no effect"}},
      {R"({"rope_scaling":{"rope_type":"default","factor":2}})",
       {"\"rope_scaling.factor\" has no effect"}},
      {R"({"rope_scaling":{"rope_type":"yarn","factor":2,"original_max_position_embeddings":32,"beta_fast":1,"beta_slow":32}})",
       {"beta_fast"}},
      {R"({"bos_token_id":320,"pad_token_id":5000})",
       {"bos_token_id 320", "pad_token_id 5000"}},
      {R"({"attention_dropout":0.1})", {"attention_dropout"}},
      {R"({"attn_implementation":"flash_attention_2"})",
       {"\"attn_implementation\" says how"}},
      {R"({"attention_implementation":"sdpa"})",
       {"\"attention_implementation\" says how"}},
      {R"({"use_flash_attention_2":true})",
       {"\"use_flash_attention_2\" says how"}},
      {R"({"_flash_attn_2_enabled":true})",
       {"\"_flash_attn_2_enabled\" says how"}},
      {R"({"use_flash_attn":true,"flash_attn":true,"use_flashattn":true})",
       {"\"flash_attn\"", "\"use_flash_attn\"", "\"use_flashattn\""}},
      {R"({"use_sdpa":true,"use_memory_efficient_attention":true,"use_xformers_attention":true})",
       {"efficient", "sdpa", "xformers"}},
      {R"({"fused_rms_norm":true,"attention_softmax_in_fp32":true})",
       {"softmax_in_fp32", "fused_rms_norm"}},
      {R"({"attn_pdrop":0.1,"resid_pdrop":0.1,"hidden_dropout_prob":0.1,"residual_dropout":0.1})",
       {"attn_pdrop", "hidden_dropout_prob", "resid_pdrop",
        "residual_dropout"}},
      {R"({"sequence_parallel":true,"tensor_parallel_size":8})",
       {"sequence_parallel", "tensor_parallel_size"}},
      {R"({"attention_kernel":"sdpa","attn_kernel":"fa3","attention_impl":"eager","attention_class":"LlamaAttention"})",
       {"\"attention_class\" says how", "\"attention_impl\" says how",
        "\"attention_kernel\" says how", "\"attn_kernel\" says how"}},
      {R"({"attn_type":"flash_attention_2","attention_mode":"sdpa"})",
       {"\"attention_mode\" says how", "\"attn_type\" says how"}},
      {R"({"use_cudnn_attention":true,"use_flex_attention":true,"use_sage_attention":true,
           "use_efficient_attention":true,"use_scaled_dot_product_attention":true})",
       {"cudnn", "flex", "sage", "efficient", "dot_product"}},
      {R"({"paged_attention":true,"use_ring_attn":true,"ring_attn_size":4,"vocab_parallel":true,
           "expert_model_parallel_size":2})",
       {"paged", "use_ring_attn", "ring_attn_size", "vocab_parallel",
        "expert_model_parallel_size"}},
      {R"({"attn_config":{"attn_impl":"flash","attn_pdrop":0.1,"alibi":false,"softcap":null}})",
       {"\"attn_config\" says how"}},
      {R"({"attention_config":{"backend":"flash"}})",
       {"\"attention_config\" says how"}},
      {R"({"attention":{"type":"flash","options":{"kernel":"fa3"}}})",
       {"\"attention\" says how"}},
      // Silent: properties that every supported model has anyway.
      {R"({"use_rope":true,"use_rotary_embeddings":true,"position_embedding_type":"rope","pos_emb":"RoPE",
           "causal":true,"use_causal_mask":true,"use_rms_norm":true,"rms_norm":true,"norm_type":"rmsnorm",
           "normalization":"RMSNorm","layer_norm_type":"rms_norm","use_glu":true,"gated_mlp":true,"pre_norm":true,
           "activation_function":"silu","hidden_activation":"swish","use_qk_norm":false,"attention_type":"full",
           "rotary_pct":1.0,"rope_pct":1,"logit_scale":1.0,"logits_scaling":1.0,"embedding_multiplier":1.0,
           "residual_multiplier":1.0,"lm_head_multiplier":1,"scale_emb":1,"rope_scaling_factor":1.0,
           "rope_type":"default","resid_pdrop":0.0,"hidden_dropout":0,"scale_attn_weights":true,
           "attn_config":{"alibi":false,"softcap":0},"rotary_embedding_base":null})",
       {}},
      {R"({"model_type":"qwen3","use_qk_norm":true,"qk_layernorm":true})", {}},
      // Silent: fields of the libraries' own configurations, and disabled
      // features.
      {R"({"_attn_implementation":"sdpa","_attn_implementation_autoset":true,"use_cache":false,"pretraining_tp":1,
           "torch_dtype":"bfloat16","dtype":"bfloat16","transformers_version":"4.51.3","output_attentions":true,
           "gradient_checkpointing":true,"sliding_window":null,"use_sliding_window":false,"max_window_layers":28,
           "layer_types":["full_attention","full_attention"],"attention_dropout":0.0,"use_flash_attention_2":false,
           "partial_rotary_factor":1.0,"hidden_act":"swish","is_causal":true})",
       {}},
  };
  for (const Case &test : cases) {
    Json config = base();
    config.update(Json::parse(test.patch));
    auto parsed = ModelConfig::parse(config, "config.json");
    ASSERT_TRUE(parsed.isOk())
        << test.patch << ": " << parsed.status().message();
    ASSERT_EQ(parsed->warnings.size(), test.warnings.size())
        << test.patch << ": "
        << (parsed->warnings.empty() ? "" : parsed->warnings.back());
    for (const char *words : test.warnings)
      EXPECT_TRUE(std::any_of(parsed->warnings.begin(), parsed->warnings.end(),
                              [&](const std::string &line) {
                                return line.starts_with("config.json: ") &&
                                       line.find(words) != std::string::npos;
                              }))
          << test.patch << " does not warn of " << words << ": "
          << parsed->warnings[0];
  }
  std::printf("%zu key sets warned of exactly\n", std::size(cases));
}

} // namespace
