// Finds the keys of config.json that nothing reads, and warns about or refuses
// them.
#include "runtime/formats/model/config_keys.h"

#include "lib/Names/pattern.h"
#include "runtime/formats/io.h"
#include "runtime/formats/model/config_properties.h"
#include "runtime/formats/model/family.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nibble {

namespace {

// Words are searched in "_<key>_" in lower case, so that '_' can anchor them at
// the end of a word.

// A key with such a word is about training only, whatever else it names
// ("residual_dropout").
constexpr std::array kTrainingWords = {"dropout", "pdrop_"};

// Words about how something is computed elsewhere. The result is the same up to
// rounding.
constexpr std::array kHowWords = {
    // programs that compute it
    "flash", "sdpa", "xformers", "eager", "efficient", "fused", "liger",
    "triton", "cudnn", "transformer_engine", "_flex_", "_flexattn", "_sage",
    "_paged", "_fa2_", "_fa3_", "_fa4_",
    // words for such a program
    "_kernel_", "_kernels_", "_impl_", "implementation", "_class_", "backend",
    "_provider", "_engine_", "compile", "cuda_graph",
    // where, and in which pieces
    "tensor_parallel", "sequence_parallel", "pipeline_parallel",
    "context_parallel", "data_parallel", "model_parallel", "vocab_parallel",
    "parallelize", "parallelism", "parallel_size", "tp_plan", "_ring_",
    "ulysses", "checkpointing", "offload",
    // types, outputs, initialization
    "_fp32_", "upcast", "output_attentions", "initializer", "init_std"};

// Other spellings of words in these lists.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3>
    kSynonyms = {{{"scaled_dot_product", "sdpa"},
                  {"expert_parallel", "model_parallel"},
                  {"expert_model_parallel", "model_parallel"}}};

// Words of unsupported mathematics, even beside a word from above
// ("flash_attention_window").
constexpr std::array kMathWords = {"softcap",
                                   "multiplier",
                                   "scal",
                                   "kernel_size",
                                   "geglu",
                                   "reglu",
                                   "_nope_",
                                   "clip",
                                   "bias",
                                   "window",
                                   "partial",
                                   "expert",
                                   "alibi",
                                   "_moe",
                                   "router",
                                   "_lora",
                                   "mscale",
                                   "residual",
                                   "_conv_",
                                   "_conv1d",
                                   "mamba",
                                   "_ssm",
                                   "_mtp",
                                   "nextn",
                                   "sink",
                                   "bidirectional",
                                   "encoder_decoder",
                                   "chunk_attention",
                                   "sparse",
                                   "linear_attention",
                                   "mrope",
                                   "pruned"};

// Unsupported mathematics, unless the key says how it is computed
// ("use_flash_attention_2", "fused_rms_norm").
constexpr std::array kMathUnlessHowWords = {
    "attn",  "attention",  "norm",       "_rope",    "rope_", "rotary",
    "logit", "activation", "hidden_act", "parallel", "causal"};

// Unsupported mathematics as the value of a key that says how:
// "attn_implementation": "linear_attention".
constexpr std::array kMathValueWords = {
    "window",  "sliding", "linear",        "sparse",   "_local",
    "alibi",   "mamba",   "bidirectional", "softcap",  "chunked",
    "sigmoid", "relu",    "_elu_",         "performer"};

std::string padded(std::string_view text) {
  std::string words = "_";
  for (char c : text)
    words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  words += '_';
  for (const auto &[spelling, word] : kSynonyms)
    if (size_t at = words.find(spelling); at != std::string::npos)
      words.replace(at, spelling.size(), word);
  return words;
}

template <typename Words>
bool hasOneOf(const std::string &text, const Words &words) {
  return std::any_of(words.begin(), words.end(), [&](const char *word) {
    return text.find(word) != std::string::npos;
  });
}

enum class About { kHow, kMathematics, kMathematicsUnlessHow, kUnknown };

// `outer` holds the words of the enclosing unknown keys, padded, or "". They
// count as words of this key: "impl" inside "attn_config" is about attention.
About aboutOf(const std::string &outer, std::string_view key,
              const Json &value) {
  std::string own = padded(key);
  std::string all = outer + own;
  bool isText = value.is_string();
  std::string text = isText ? padded(value.get_ref<const std::string &>()) : "";
  if (hasOneOf(own, kTrainingWords))
    return About::kHow;
  if (hasOneOf(all, kMathWords))
    return About::kMathematics;
  if (hasOneOf(all, kTrainingWords))
    return About::kHow;
  bool isOfAttention = all.find("attn") != std::string::npos ||
                       all.find("attention") != std::string::npos;
  if (hasOneOf(all, kHowWords) ||
      (isText && isOfAttention && hasOneOf(text, kHowWords)))
    return hasOneOf(text, kMathValueWords) ? About::kMathematics : About::kHow;
  return hasOneOf(all, kMathUnlessHowWords) ? About::kMathematicsUnlessHow
                                            : About::kUnknown;
}

bool isEmpty(const Json &value) {
  return value.is_null() || (value.is_structured() && value.empty());
}
bool isOff(const Json &value) {
  return isEmpty(value) || value == false || value == 0 || value == "";
}

// What a value says. A container says the strongest of its elements.
enum class Says { kNothing, kHow, kUnknown };

class KeyCheck {
public:
  KeyCheck(const std::string &file, bool hasQkNorm)
      : file_(file), hasQkNorm_(hasQkNorm) {}

  // Bad input for unknown mathematics in the value of an unknown key, or
  // anywhere below it. `path` names the key in messages.
  Result<Says> check(const std::string &outer, std::string_view key,
                     const Json &value, const std::string &path) const {
    if (isEmpty(value))
      return Says::kNothing;
    About about = aboutOf(outer, key, value);
    switch (agreementOf(key, value, hasQkNorm_)) {
    case Agreement::kAgrees:
      return Says::kNothing;
    case Agreement::kDiffers:
      return refused(path, value);
    case Agreement::kNone:
      break;
    }
    bool isMathematics =
        about == About::kMathematics || about == About::kMathematicsUnlessHow;
    if (isMathematics && isOff(value))
      return Says::kNothing;
    if (about == About::kMathematics || (isMathematics && !value.is_object()))
      return refused(path, value);
    Says says = about == About::kUnknown                ? Says::kUnknown
                : about == About::kHow && !isOff(value) ? Says::kHow
                                                        : Says::kNothing;
    if (!value.is_structured())
      return says;
    std::string words = outer + padded(key);
    for (const auto &[name, inner] : value.items()) {
      std::string here = value.is_array() ? fmt::format("{}[{}]", path, name)
                                          : keyPath(path, name);
      NIBBLE_ASSIGN(
          Says more,
          check(words, value.is_array() ? std::string() : name, inner, here));
      says = std::max(says, more);
    }
    return about == About::kHow ? Says::kHow : says;
  }

private:
  Status refused(const std::string &path, const Json &value) const {
    return Status::badInput(fmt::format(
        "{}: field \"{}\" is {}, which changes the mathematics and is not "
        "known here; plain {} decoders are supported",
        file_, printable(path), printable(value.dump(-1, ' ', true), 40),
        familyNames(" and ")));
  }

  const std::string &file_;
  bool hasQkNorm_;
};

} // namespace

std::string keyPath(const std::string &path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string unknownKeyWarning(const std::string &file, const std::string &path,
                              std::string_view key,
                              std::span<const char *const> known) {
  // A short key is part of many long ones.
  std::vector<std::string> alike, close;
  for (std::string_view other : known)
    if (other.size() <= key.size() + key.size() / 3 &&
        key.size() <= other.size() + other.size() / 3)
      alike.emplace_back(other);
  std::string problem;
  if (auto pattern = names::Pattern::parseModule(key, problem))
    close = names::closeNames(*pattern, alike);
  return fmt::format(
      "{}: unknown field \"{}\" is ignored{}{}; correct its name or remove it "
      "to silence this",
      file, printable(keyPath(path, key)),
      close.empty() ? "" : "; close names: ", fmt::join(close, ", "));
}

Status checkUnknownKeys(const Json &object, std::span<const char *const> known,
                        const std::string &file, const std::string &path,
                        std::vector<std::string> &warnings, bool hasQkNorm) {
  KeyCheck keys(file, hasQkNorm);
  for (const auto &[key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end())
      continue;
    std::string here = keyPath(path, key);
    NIBBLE_ASSIGN(Says says, keys.check("", key, value, here));
    if (says == Says::kHow)
      warnings.push_back(
          fmt::format("{}: field \"{}\" says how a model is computed or "
                      "trained elsewhere, not what it "
                      "computes, and is ignored; remove it to silence this",
                      file, printable(here)));
    else if (says == Says::kUnknown)
      warnings.push_back(unknownKeyWarning(file, path, key, known));
  }
  return Status::ok();
}

} // namespace nibble
