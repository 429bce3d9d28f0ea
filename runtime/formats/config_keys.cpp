#include "runtime/formats/config_keys.h"

#include "runtime/formats/io.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace nibble {

namespace {

// Words are sought in "_<key>_" in lower case, so that '_' can anchor them at the end of a word.

// Training only, whatever else the key names ("residual_dropout").
constexpr std::array kTrainingWords = {"dropout", "pdrop_"};

// How something is computed elsewhere. The result is the same up to rounding.
constexpr std::array kHowWords = {"flash",
                                  "sdpa",
                                  "xformers",
                                  "implementation",
                                  "attn_impl",
                                  "eager",
                                  "memory_efficient",
                                  "mem_efficient",
                                  "fused",
                                  "liger",
                                  "triton",
                                  "backend",
                                  "compile",
                                  "cuda_graph",
                                  "checkpointing",
                                  "offload",
                                  "_fp32_",
                                  "upcast",
                                  "tensor_parallel",
                                  "sequence_parallel",
                                  "pipeline_parallel",
                                  "context_parallel",
                                  "data_parallel",
                                  "model_parallel",
                                  "parallelize",
                                  "tp_plan",
                                  "output_attentions",
                                  "initializer",
                                  "init_std"};

// Other mathematics than ours, also beside one of the words above ("flash_attention_window").
constexpr std::array kMathWords = {"softcap",
                                   "multiplier",
                                   "scal",
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

// Other mathematics unless the key says how it is computed ("use_flash_attention_2", "fused_rms_norm").
constexpr std::array kMathUnlessHowWords = {"attn",  "attention",  "norm",       "_rope",    "rope_", "rotary",
                                            "logit", "activation", "hidden_act", "parallel", "causal"};

enum class About { kHow, kMathematics, kUnknown };

About aboutOf(std::string_view key) {
  std::string padded = "_";
  for (char c : key)
    padded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  padded += '_';
  auto hasOneOf = [&](const auto &words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char *word) { return padded.find(word) != std::string::npos; });
  };
  if (hasOneOf(kTrainingWords))
    return About::kHow;
  if (hasOneOf(kMathWords))
    return About::kMathematics;
  if (hasOneOf(kHowWords))
    return About::kHow;
  return hasOneOf(kMathUnlessHowWords) ? About::kMathematics : About::kUnknown;
}

bool isEmpty(const Json &value) { return value.is_null() || (value.is_structured() && value.empty()); }
bool isOff(const Json &value) { return isEmpty(value) || value == false || value == 0 || value == ""; }

Status refused(const std::string &file, const std::string &path, const Json &value) {
  return Status::badInput(fmt::format("{}: field \"{}\" is {}, which changes the mathematics and is not known here; "
                                      "plain llama, qwen2 and qwen3 decoders are supported",
                                      file, printable(path), printable(value.dump(-1, ' ', true), 40)));
}

// Refuses mathematics anywhere below a value that is not known.
Status checkNested(const Json &value, const std::string &file, const std::string &path) {
  if (!value.is_structured())
    return Status::ok();
  for (const auto &[key, inner] : value.items()) {
    std::string here = value.is_array() ? fmt::format("{}[{}]", path, key) : keyPath(path, key);
    About about = value.is_array() ? About::kUnknown : aboutOf(key);
    if (about == About::kMathematics && !isOff(inner))
      return refused(file, here, inner);
    if (about == About::kUnknown)
      NIBBLE_TRY(checkNested(inner, file, here));
  }
  return Status::ok();
}

} // namespace

std::string keyPath(const std::string &path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

Status checkUnknownKeys(const Json &object, std::span<const char *const> known, const std::string &file,
                        const std::string &path, std::vector<std::string> &warnings) {
  for (const auto &[key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end() || isEmpty(value))
      continue;
    std::string here = keyPath(path, key);
    switch (aboutOf(key)) {
    case About::kMathematics:
      // Attention that sees what comes later: there it is `false` that is other mathematics.
      if (key == "is_causal" ? value != true : !isOff(value))
        return refused(file, here, value);
      break;
    case About::kHow:
      if (!isOff(value))
        warnings.push_back(
            fmt::format("{}: field \"{}\" says how a model is computed or trained elsewhere, not what it "
                        "computes, and is ignored; remove it to silence this",
                        file, printable(here)));
      break;
    case About::kUnknown:
      NIBBLE_TRY(checkNested(value, file, here));
      warnings.push_back(fmt::format(
          "{}: unknown field \"{}\" is ignored; correct its name or remove it to silence this", file, printable(here)));
      break;
    }
  }
  return Status::ok();
}

} // namespace nibble
