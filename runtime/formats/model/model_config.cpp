#include "runtime/formats/model/model_config.h"

#include "runtime/formats/io.h"
#include "runtime/formats/model/config_keys.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>

namespace nibble {

namespace {

constexpr int64_t kMostTokens = int64_t{1} << 24; // a vocabulary
constexpr int64_t kMostWidth = int64_t{1}
                               << 20; // a hidden, intermediate or head size
constexpr int64_t kMostPositions = int64_t{1} << 40;

// Fields that this reader takes, and fields of the libraries' own
// configurations that say nothing about the forward pass.
constexpr std::array kKnown = {
    "model_type", "hidden_size", "intermediate_size", "num_hidden_layers",
    "vocab_size", "num_attention_heads", "num_key_value_heads", "head_dim",
    "max_position_embeddings", "rms_norm_eps", "rope_theta", "rope_scaling",
    "rope_parameters", "attention_bias", "mlp_bias", "tie_word_embeddings",
    "dtype", "torch_dtype", "eos_token_id", "bos_token_id", "pad_token_id",
    "quantization_config", "hidden_act", "sliding_window", "use_sliding_window",
    "max_window_layers", "layer_types", "partial_rotary_factor",
    "attention_dropout", "original_max_position_embeddings",
    // where it comes from and how it runs
    "architectures", "auto_map", "_name_or_path", "name_or_path",
    "_commit_hash", "transformers_version", "transformers.js_config",
    "initializer_range", "use_cache", "pretraining_tp", "is_decoder",
    "torchscript", "output_attentions", "output_hidden_states", "return_dict",
    "chunk_size_feed_forward", "_attn_implementation",
    "_attn_implementation_autoset", "_attn_implementation_internal",
    "gradient_checkpointing", "use_bfloat16", "tf_legacy_loss",
    "tie_encoder_decoder",
    // heads for classification
    "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
    "task_specific_params",
    // tokens and sampling, which older files keep here
    "tokenizer_class", "prefix", "sep_token_id", "decoder_start_token_id",
    "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens",
    "begin_suppress_tokens", "bad_words_ids", "max_length", "min_length",
    "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "num_return_sequences", "diversity_penalty", "temperature", "top_k",
    "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "output_scores",
    "return_dict_in_generate", "remove_invalid_values",
    "exponential_decay_length_penalty"};

// Fields of generation_config.json.
constexpr std::array kGenerationKnown = {"max_length",
                                         "max_new_tokens",
                                         "min_length",
                                         "min_new_tokens",
                                         "early_stopping",
                                         "max_time",
                                         "stop_strings",
                                         "do_sample",
                                         "num_beams",
                                         "num_beam_groups",
                                         "penalty_alpha",
                                         "dola_layers",
                                         "use_cache",
                                         "cache_implementation",
                                         "cache_config",
                                         "return_legacy_cache",
                                         "prefill_chunk_size",
                                         "temperature",
                                         "top_k",
                                         "top_p",
                                         "min_p",
                                         "top_h",
                                         "typical_p",
                                         "epsilon_cutoff",
                                         "eta_cutoff",
                                         "diversity_penalty",
                                         "repetition_penalty",
                                         "encoder_repetition_penalty",
                                         "length_penalty",
                                         "no_repeat_ngram_size",
                                         "encoder_no_repeat_ngram_size",
                                         "bad_words_ids",
                                         "force_words_ids",
                                         "renormalize_logits",
                                         "constraints",
                                         "forced_bos_token_id",
                                         "forced_eos_token_id",
                                         "remove_invalid_values",
                                         "exponential_decay_length_penalty",
                                         "suppress_tokens",
                                         "begin_suppress_tokens",
                                         "sequence_bias",
                                         "token_healing",
                                         "guidance_scale",
                                         "low_memory",
                                         "watermarking_config",
                                         "num_return_sequences",
                                         "output_attentions",
                                         "output_hidden_states",
                                         "output_scores",
                                         "output_logits",
                                         "return_dict_in_generate",
                                         "pad_token_id",
                                         "bos_token_id",
                                         "eos_token_id",
                                         "decoder_start_token_id",
                                         "is_assistant",
                                         "num_assistant_tokens",
                                         "num_assistant_tokens_schedule",
                                         "assistant_confidence_threshold",
                                         "prompt_lookup_num_tokens",
                                         "max_matching_ngram_size",
                                         "assistant_early_exit",
                                         "assistant_lookbehind",
                                         "target_lookbehind",
                                         "compile_config",
                                         "disable_compile",
                                         "generation_kwargs",
                                         "custom_generate",
                                         "trust_remote_code",
                                         "_from_model_config",
                                         "_commit_hash",
                                         "transformers_version"};

Status unsupported(const std::string &where, const std::string &what) {
  return Status::badInput(
      fmt::format("{}: {}; plain llama, qwen2 and qwen3 decoders are supported",
                  where, what));
}

// An integer, a list of integers, or nothing.
Result<std::vector<int64_t>> tokenList(const Json &object, const char *key,
                                       const std::string &where) {
  const Json *field = findField(object, key);
  std::vector<int64_t> tokens;
  if (!field)
    return tokens;
  for (const Json &token : field->is_array() ? *field : Json::array({*field})) {
    NIBBLE_ASSIGN(int64_t id,
                  integerField(Json{{key, token}}, key, where, 0, kMostTokens));
    tokens.push_back(id);
  }
  return tokens;
}

// A sampler would wait forever for a stop token that the model cannot say.
Status checkStopTokens(const std::vector<int64_t> &tokens, int64_t vocabSize,
                       const std::string &where) {
  for (int64_t token : tokens)
    if (token >= vocabSize)
      return Status::badInput(
          fmt::format("{}: eos_token_id {} is outside the vocabulary of {} "
                      "tokens; correct eos_token_id or vocab_size",
                      where, token, vocabSize));
  return Status::ok();
}

// Nothing here looks at these tokens, but who wrote them expects them to exist.
void warnOfToken(std::optional<int64_t> token, const char *key,
                 int64_t vocabSize, const std::string &where,
                 std::vector<std::string> &warnings) {
  if (token && *token >= vocabSize)
    warnings.push_back(
        fmt::format("{}: {} {} is outside the vocabulary of {} tokens and is "
                    "ignored; correct or remove it",
                    where, key, *token, vocabSize));
}

// Fields of generation_config.json that would change where a text ends, and
// names that nobody knows.
void warnOfGeneration(const Json &generation, const std::string &where,
                      std::vector<std::string> &warnings) {
  for (const auto &[key, value] : generation.items())
    if (!value.is_null() &&
        std::find(kGenerationKnown.begin(), kGenerationKnown.end(), key) ==
            kGenerationKnown.end())
      warnings.push_back(unknownKeyWarning(where, "", key, kGenerationKnown));
  if (const Json *stop = findField(generation, "stop_strings");
      stop && *stop != "" && !stop->empty())
    warnings.push_back(where +
                       ": stop_strings is not applied: only eos_token_id ends "
                       "a text; remove it to silence this");
}

// Old checkpoints of Qwen say -1 where they mean none.
Result<std::optional<int64_t>> tokenOrNone(const Json &object, const char *key,
                                           const std::string &where) {
  if (const Json *field = findField(object, key); field && field->is_array())
    return Status::badInput(fmt::format(
        "{}: field \"{}\" is a list, not one token; correct the file", where,
        key));
  NIBBLE_ASSIGN(int64_t id,
                integerFieldOr(object, key, where, -1, kMostTokens, -1));
  return id < 0 ? std::nullopt : std::optional(id);
}

Status readAttentionKind(const Json &config, const std::string &where,
                         Architecture architecture, int64_t layers,
                         std::vector<int64_t> &windows) {
  NIBBLE_ASSIGN(double partial,
                numberFieldOr(config, "partial_rotary_factor", where, 1.0));
  for (const char *holder : {"rope_parameters", "rope_scaling"})
    if (const Json *rope = findField(config, holder);
        rope && rope->is_object()) {
      NIBBLE_ASSIGN(partial, numberFieldOr(*rope, "partial_rotary_factor",
                                           where, partial));
    }
  if (partial != 1.0)
    return unsupported(where,
                       fmt::format("partial_rotary_factor is {}", partial));
  NIBBLE_ASSIGN(std::string activation,
                stringFieldOr(config, "hidden_act", where, "silu"));
  if (activation != "silu" &&
      activation != "swish") // two names of one function
    return unsupported(where, fmt::format("hidden_act is \"{}\", not silu",
                                          printable(activation)));

  // Qwen: sliding_window counts only with use_sliding_window, in the layers
  // that layer_types names, else from max_window_layers on (28 when the file
  // does not say, as in Qwen2Config). Plain llama has no window.
  bool isLlama = architecture == Architecture::kLlama;
  NIBBLE_ASSIGN(bool usesWindow,
                boolFieldOr(config, "use_sliding_window", where, false));
  NIBBLE_ASSIGN(int64_t firstWindowLayer,
                integerFieldOr(config, "max_window_layers", where, 0,
                               kMostWidth, isLlama ? 0 : 28));
  if (isLlama && !config.contains("use_sliding_window") &&
      findField(config, "sliding_window"))
    return unsupported(where, "sliding_window is set");
  NIBBLE_ASSIGN(int64_t window, integerFieldOr(config, "sliding_window", where,
                                               0, INT32_MAX, 0));
  const Json *types = findField(config, "layer_types");
  if (types &&
      (!types->is_array() || static_cast<int64_t>(types->size()) != layers))
    return Status::badInput(
        fmt::format("{}: layer_types is no list of {} layers; correct the file",
                    where, layers));
  bool hasWindow = false;
  windows.assign(layers, 0);
  for (int64_t i = 0; i < layers; ++i) {
    bool slides = usesWindow && window > 0 && i >= firstWindowLayer;
    if (types) {
      const Json &type = (*types)[i];
      if (type != "full_attention" && type != "sliding_attention")
        return unsupported(where,
                           fmt::format("layer_types has {}",
                                       printable(type.dump(-1, ' ', true))));
      slides = type == "sliding_attention";
      if (slides && (!usesWindow || window == 0))
        return Status::badInput(fmt::format(
            "{}: layer_types has sliding_attention but use_sliding_window or "
            "sliding_window is not set; correct the file",
            where));
    }
    windows[i] = slides ? window : 0;
    hasWindow |= slides;
  }
  if (!hasWindow)
    windows.clear();
  return Status::ok();
}

Status readQuantization(const Json &config, const std::string &where,
                        std::optional<Json> &out) {
  const Json *field = findField(config, "quantization_config");
  if (!field)
    return Status::ok();
  if (!field->is_object())
    return Status::badInput(
        where + ": quantization_config is not an object; correct the file");
  NIBBLE_ASSIGN(
      std::string method,
      stringField(*field, "quant_method", where + ": quantization_config"));
  if (method != "compressed-tensors")
    return Status::badInput(
        fmt::format("{}: quant_method \"{}\" is not supported; "
                    "compressed-tensors is, and unquantized bf16",
                    where, printable(method)));
  out = *field;
  return Status::ok();
}

} // namespace

Result<ModelConfig> ModelConfig::parse(const Json &config,
                                       const std::string &where) {
  if (!config.is_object())
    return Status::badInput(where + ": not an object; is it a config.json?");
  ModelConfig model;
  NIBBLE_ASSIGN(model.modelType, stringField(config, "model_type", where));
  constexpr std::array types = {"llama", "qwen2", "qwen3"};
  auto type = std::find(types.begin(), types.end(), model.modelType);
  if (type == types.end())
    return Status::badInput(
        fmt::format("{}: model_type \"{}\" is not supported; {} are", where,
                    printable(model.modelType), fmt::join(types, ", ")));
  model.architecture = static_cast<Architecture>(type - types.begin());
  bool isLlama = model.architecture == Architecture::kLlama,
       isQwen2 = model.architecture == Architecture::kQwen2;

  NIBBLE_ASSIGN(model.hiddenSize,
                integerField(config, "hidden_size", where, 1, kMostWidth));
  NIBBLE_ASSIGN(
      model.intermediateSize,
      integerField(config, "intermediate_size", where, 1, kMostWidth));
  NIBBLE_ASSIGN(model.layers,
                integerField(config, "num_hidden_layers", where, 1, 10'000));
  NIBBLE_ASSIGN(model.vocabSize,
                integerField(config, "vocab_size", where, 1, kMostTokens));
  NIBBLE_ASSIGN(model.heads, integerField(config, "num_attention_heads", where,
                                          1, kMostWidth));
  NIBBLE_ASSIGN(model.kvHeads,
                integerFieldOr(config, "num_key_value_heads", where, 1,
                               kMostWidth, model.heads));
  NIBBLE_ASSIGN(model.headDim,
                integerFieldOr(config, "head_dim", where, 1, kMostWidth, 0));
  NIBBLE_ASSIGN(model.maxPositions,
                integerFieldOr(config, "max_position_embeddings", where, 1,
                               kMostPositions, isLlama ? 2048 : 32768));
  if (model.heads % model.kvHeads != 0)
    return Status::badInput(
        fmt::format("{}: num_attention_heads = {} is no multiple of "
                    "num_key_value_heads = {}; correct the file",
                    where, model.heads, model.kvHeads));
  if (model.headDim == 0 && model.hiddenSize % model.heads != 0)
    return Status::badInput(
        fmt::format("{}: hidden_size = {} does not divide by "
                    "num_attention_heads = {}; add head_dim",
                    where, model.hiddenSize, model.heads));
  if (model.headDim == 0)
    model.headDim = model.hiddenSize / model.heads;
  if (model.headDim % 2 != 0)
    return Status::badInput(fmt::format(
        "{}: head_dim = {} is odd, rope needs pairs; correct the file", where,
        model.headDim));

  NIBBLE_ASSIGN(model.normEpsilon,
                numberFieldOr(config, "rms_norm_eps", where, 1e-6));
  if (!(model.normEpsilon > 0.0 && model.normEpsilon < 1.0))
    return Status::badInput(fmt::format(
        "{}: rms_norm_eps is {}, not between 0 and 1; correct the file", where,
        model.normEpsilon));
  NIBBLE_ASSIGN(model.rope, readRope(config, where, 10000.0, model.maxPositions,
                                     model.warnings));
  NIBBLE_TRY(readAttentionKind(config, where, model.architecture, model.layers,
                               model.windows));

  NIBBLE_ASSIGN(bool attentionBias,
                boolFieldOr(config, "attention_bias", where, false));
  // qwen2 always has a bias of q, k and v; qwen2 and qwen3 have no bias in the
  // MLP.
  model.qkvBias = isQwen2 || attentionBias;
  model.outputBias = !isQwen2 && attentionBias;
  NIBBLE_ASSIGN(bool mlpBias, boolFieldOr(config, "mlp_bias", where, false));
  model.mlpBias = isLlama && mlpBias;
  if (mlpBias && !isLlama)
    return unsupported(where, "mlp_bias is true, which " + model.modelType +
                                  " does not have");
  model.qkNorm = model.architecture == Architecture::kQwen3;
  NIBBLE_ASSIGN(model.tieWordEmbeddings,
                boolFieldOr(config, "tie_word_embeddings", where, false));

  NIBBLE_ASSIGN(std::string olderDtype,
                stringFieldOr(config, "torch_dtype", where, "float32"));
  NIBBLE_ASSIGN(model.dtype, stringFieldOr(config, "dtype", where, olderDtype));
  NIBBLE_ASSIGN(double dropout,
                numberFieldOr(config, "attention_dropout", where, 0.0));
  if (dropout != 0.0)
    model.warnings.push_back(
        fmt::format("{}: attention_dropout = {} is ignored: nothing is dropped "
                    "here; set it to 0 to silence this",
                    where, dropout));
  NIBBLE_ASSIGN(model.eosTokens, tokenList(config, "eos_token_id", where));
  NIBBLE_ASSIGN(model.bosToken, tokenOrNone(config, "bos_token_id", where));
  NIBBLE_ASSIGN(model.padToken, tokenOrNone(config, "pad_token_id", where));
  NIBBLE_TRY(checkStopTokens(model.eosTokens, model.vocabSize, where));
  warnOfToken(model.bosToken, "bos_token_id", model.vocabSize, where,
              model.warnings);
  warnOfToken(model.padToken, "pad_token_id", model.vocabSize, where,
              model.warnings);
  NIBBLE_TRY(readQuantization(config, where, model.quantization));
  NIBBLE_TRY(checkUnknownKeys(config, kKnown, where, "", model.warnings,
                              model.qkNorm));
  return model;
}

Result<ModelConfig> ModelConfig::read(const std::string &folder) {
  std::string path = folder + "/config.json";
  NIBBLE_ASSIGN(Json config, readJsonFile(path));
  NIBBLE_ASSIGN(ModelConfig model, parse(config, path));
  std::string generationPath = folder + "/generation_config.json";
  std::error_code error;
  if (!std::filesystem::exists(generationPath, error))
    return model;
  NIBBLE_ASSIGN(Json generation, readJsonFile(generationPath));
  if (!generation.is_object())
    return Status::badInput(generationPath +
                            ": not an object; correct or remove it");
  NIBBLE_ASSIGN(std::vector<int64_t> eosTokens,
                tokenList(generation, "eos_token_id", generationPath));
  NIBBLE_TRY(checkStopTokens(eosTokens, model.vocabSize, generationPath));
  for (const char *key : {"bos_token_id", "pad_token_id"}) {
    NIBBLE_ASSIGN(std::optional<int64_t> token,
                  tokenOrNone(generation, key, generationPath));
    warnOfToken(token, key, model.vocabSize, generationPath, model.warnings);
  }
  warnOfGeneration(generation, generationPath, model.warnings);
  if (!eosTokens.empty())
    model.eosTokens = eosTokens;
  return model;
}

} // namespace nibble
