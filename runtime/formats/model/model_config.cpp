// Reads and checks config.json and generation_config.json.
#include "runtime/formats/model/model_config.h"

#include "runtime/formats/io.h"
#include "runtime/formats/model/config_keys.h"
#include "runtime/formats/model/family.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>

namespace nibble {

namespace {

// Fields that other parts of the reader handle.
constexpr std::array kReadElsewhere = {"rope_theta",
                                       "rope_scaling",
                                       "rope_parameters",
                                       "eos_token_id",
                                       "bos_token_id",
                                       "pad_token_id",
                                       "original_max_position_embeddings"};

// Fields of the libraries' own configurations that do not affect the forward
// pass.
constexpr std::array kHarmless = {
    // origin and execution
    "architectures", "auto_map", "_name_or_path", "name_or_path",
    "_commit_hash", "transformers_version", "transformers.js_config",
    "initializer_range", "use_cache", "pretraining_tp", "is_decoder",
    "torchscript", "output_attentions", "output_hidden_states", "return_dict",
    "chunk_size_feed_forward", "_attn_implementation",
    "_attn_implementation_autoset", "_attn_implementation_internal",
    "gradient_checkpointing", "use_bfloat16", "tf_legacy_loss",
    "tie_encoder_decoder",
    // classification heads
    "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
    "task_specific_params",
    // tokens and sampling, which older files store here
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

// Reads an integer, a list of integers, or nothing.
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

// Refuses a stop token that the model cannot produce, since a sampler would
// wait for it forever.
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

// Warns about tokens that nothing here uses, but that their author expects to
// exist.
void warnOfToken(std::optional<int64_t> token, const char *key,
                 int64_t vocabSize, const std::string &where,
                 std::vector<std::string> &warnings) {
  if (token && *token >= vocabSize)
    warnings.push_back(
        fmt::format("{}: {} {} is outside the vocabulary of {} tokens and is "
                    "ignored; correct or remove it",
                    where, key, *token, vocabSize));
}

// Warns about a start token outside the vocabulary. Decoders do not use start
// tokens.
void warnOfStart(const Json &object, int64_t vocabSize,
                 const std::string &where, std::vector<std::string> &warnings) {
  constexpr const char *kKey = "decoder_start_token_id";
  const Json *field = findField(object, kKey);
  bool isToken =
      field && field->is_number_integer() && *field >= -1 && *field < vocabSize;
  if (field && !isToken)
    warnings.push_back(fmt::format(
        "{}: {} {} is outside the vocabulary of {} tokens and is ignored; "
        "correct or remove it",
        where, kKey, printable(field->dump(-1, ' ', true), 40), vocabSize));
}

// Warns about fields of either file that force or forbid tokens during
// generation.
void warnOfForced(const Json &object, const std::string &where,
                  std::vector<std::string> &warnings) {
  for (const char *key :
       {"forced_bos_token_id", "forced_eos_token_id", "suppress_tokens",
        "begin_suppress_tokens", "bad_words_ids"})
    if (const Json *field = findField(object, key);
        field && !(field->is_structured() && field->empty()))
      warnings.push_back(
          fmt::format("{}: {} is not applied: no token is forced or forbidden "
                      "here; remove it to silence this",
                      where, key));
}

// Warns about fields of generation_config.json that would change where a text
// ends, and about unknown names.
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

// Old checkpoints of Qwen use -1 for none.
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

// Checks what every supported family has and a field may contradict.
Status checkRotationAndActivation(ConfigReader &fields) {
  NIBBLE_ASSIGN(double partial, fields.numberOr("partial_rotary_factor", 1.0));
  for (const char *holder : {"rope_parameters", "rope_scaling"})
    if (const Json *rope = fields.find(holder); rope && rope->is_object()) {
      NIBBLE_ASSIGN(partial, numberFieldOr(*rope, "partial_rotary_factor",
                                           fields.where(), partial));
    }
  if (partial != 1.0)
    return fields.unsupported(
        fmt::format("partial_rotary_factor is {}", partial));
  NIBBLE_ASSIGN(std::string activation, fields.textOr("hidden_act", "silu"));
  // "swish" is another name of the same function.
  if (activation != "silu" && activation != "swish")
    return fields.unsupported(
        fmt::format("hidden_act is \"{}\", not silu", printable(activation)));
  return Status::ok();
}

Status readQuantization(ConfigReader &fields, std::optional<Json> &out) {
  const std::string &where = fields.where();
  const Json *field = fields.find("quantization_config");
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

// Reads the sizes that all layers share, and the numbers of heads.
static Status readSizes(ConfigReader &fields, const ModelFamily &family,
                        ModelConfig &model) {
  const std::string &where = fields.where();
  NIBBLE_ASSIGN(model.hiddenSize, fields.integer("hidden_size", 1, kMostWidth));
  NIBBLE_ASSIGN(model.intermediateSize,
                fields.integer("intermediate_size", 1, kMostWidth));
  NIBBLE_ASSIGN(int64_t layers, fields.integer("num_hidden_layers", 1, 10'000));
  model.layers.assign(static_cast<size_t>(layers), DecoderLayer());
  NIBBLE_ASSIGN(model.vocabSize, fields.integer("vocab_size", 1, kMostTokens));
  NIBBLE_ASSIGN(model.heads,
                fields.integer("num_attention_heads", 1, kMostWidth));
  NIBBLE_ASSIGN(model.kvHeads, fields.integerOr("num_key_value_heads", 1,
                                                kMostWidth, model.heads));
  NIBBLE_ASSIGN(model.headDim, fields.integerOr("head_dim", 1, kMostWidth, 0));
  NIBBLE_ASSIGN(model.maxPositions,
                fields.integerOr("max_position_embeddings", 1, kMostPositions,
                                 family.maxPositions));
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
  return Status::ok();
}

// Reads the tokens that end a text, and warns about those that nothing uses.
static Status readTokens(ConfigReader &fields, ModelConfig &model) {
  const Json &config = fields.json();
  const std::string &where = fields.where();
  NIBBLE_ASSIGN(model.eosTokens, tokenList(config, "eos_token_id", where));
  NIBBLE_ASSIGN(model.bosToken, tokenOrNone(config, "bos_token_id", where));
  NIBBLE_ASSIGN(model.padToken, tokenOrNone(config, "pad_token_id", where));
  NIBBLE_TRY(checkStopTokens(model.eosTokens, model.vocabSize, where));
  warnOfToken(model.bosToken, "bos_token_id", model.vocabSize, where,
              model.warnings);
  warnOfToken(model.padToken, "pad_token_id", model.vocabSize, where,
              model.warnings);
  warnOfStart(config, model.vocabSize, where, model.warnings);
  warnOfForced(config, where, model.warnings);
  return Status::ok();
}

Result<ModelConfig> ModelConfig::parse(const Json &config,
                                       const std::string &where) {
  if (!config.is_object())
    return Status::badInput(where + ": not an object; is it a config.json?");
  ConfigReader fields(config, where);
  ModelConfig model;
  NIBBLE_ASSIGN(model.modelType, fields.text("model_type"));
  const ModelFamily *family = familyNamed(model.modelType);
  if (!family)
    return Status::badInput(
        fmt::format("{}: model_type \"{}\" is not supported; {} are", where,
                    printable(model.modelType), familyNames(", ")));
  NIBBLE_TRY(readSizes(fields, *family, model));
  NIBBLE_ASSIGN(model.normEpsilon, fields.numberOr("rms_norm_eps", 1e-6));
  if (!(model.normEpsilon > 0.0 && model.normEpsilon < 1.0))
    return Status::badInput(fmt::format(
        "{}: rms_norm_eps is {}, not between 0 and 1; correct the file", where,
        model.normEpsilon));
  NIBBLE_ASSIGN(model.rope, readRope(config, where, 10000.0, model.maxPositions,
                                     model.warnings));
  NIBBLE_TRY(checkRotationAndActivation(fields));
  NIBBLE_TRY(family->describeLayers(fields, model));
  NIBBLE_ASSIGN(model.tieWordEmbeddings,
                fields.flagOr("tie_word_embeddings", false));

  NIBBLE_ASSIGN(std::string olderDtype,
                fields.textOr("torch_dtype", "float32"));
  NIBBLE_ASSIGN(model.dtype, fields.textOr("dtype", olderDtype));
  if (findField(config, "torch_dtype") && olderDtype != model.dtype)
    model.warnings.push_back(fmt::format(
        "{}: torch_dtype is \"{}\" and dtype is \"{}\", which is the one that "
        "is taken; remove the wrong one",
        where, printable(olderDtype, 40), printable(model.dtype, 40)));
  NIBBLE_ASSIGN(double dropout, fields.numberOr("attention_dropout", 0.0));
  if (dropout != 0.0)
    model.warnings.push_back(
        fmt::format("{}: attention_dropout = {} is ignored: nothing is dropped "
                    "here; set it to 0 to silence this",
                    where, dropout));
  NIBBLE_TRY(readTokens(fields, model));
  NIBBLE_TRY(readQuantization(fields, model.quantization));
  fields.know(kReadElsewhere);
  fields.know(kHarmless);
  bool hasQkNorm =
      std::any_of(model.layers.begin(), model.layers.end(),
                  [](const DecoderLayer &layer) { return layer.qkNorm; });
  NIBBLE_TRY(checkUnknownKeys(config, fields.known(), where, "", model.warnings,
                              hasQkNorm));
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
  warnOfStart(generation, model.vocabSize, generationPath, model.warnings);
  warnOfForced(generation, generationPath, model.warnings);
  warnOfGeneration(generation, generationPath, model.warnings);
  if (!eosTokens.empty())
    model.eosTokens = eosTokens;
  return model;
}

} // namespace nibble
