// config.json and generation_config.json of a HuggingFace checkpoint, as
// transformers 4 and 5 spell them.
//
// What is read is checked; what changes the mathematics and is not supported is
// refused by name; what is unknown and harmless is a warning. Remote code
// (auto_map) is never looked at.
#pragma once

#include "runtime/formats/model/rope.h"

namespace nibble {

enum class Architecture { kLlama, kQwen2, kQwen3 };

struct ModelConfig {
  std::string modelType; // "llama", "qwen2", "qwen3"
  Architecture architecture = Architecture::kLlama;
  int64_t hiddenSize = 0, intermediateSize = 0, layers = 0, vocabSize = 0;
  int64_t heads = 0, kvHeads = 0,
          headDim = 0; // heads is a multiple of kvHeads; headDim is even
  int64_t maxPositions = 0;
  double normEpsilon = 1e-6;
  Rope rope;
  bool qkvBias = false, outputBias = false,
       mlpBias = false; // q_proj, k_proj, v_proj | o_proj | gate, up, down
  bool qkNorm = false;  // RMS norm of each head of q and k, before rope
  // Per layer how many positions a token sees, itself among them; 0: everything
  // before it. Empty: 0 for every layer.
  std::vector<int64_t> windows;
  bool tieWordEmbeddings = false; // lm_head is embed_tokens
  std::string dtype = "float32"; // as trained: "bfloat16", "float16", "float32"
  std::vector<int64_t> eosTokens; // generation_config.json wins; may be empty
  std::optional<int64_t> bosToken, padToken;
  std::optional<Json> quantization; // quantization_config; compressed-tensors,
                                    // see quantized_checkpoint.h
  std::vector<std::string> warnings;

  // Radians per position, float32 [headDim / 2].
  std::vector<float> inverseFrequencies() const {
    return rope.inverseFrequencies(headDim);
  }
  float attentionFactor() const {
    return static_cast<float>(rope.attentionFactor);
  }

  // Reads folder/config.json and, when it is there,
  // folder/generation_config.json.
  static Result<ModelConfig> read(const std::string &folder);
  // Takes a parsed config.json; `where` stands in messages.
  static Result<ModelConfig> parse(const Json &config,
                                   const std::string &where);
};

} // namespace nibble
