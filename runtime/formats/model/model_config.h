// config.json and generation_config.json of a HuggingFace checkpoint, as
// transformers 4 and 5 spell them.
//
// What is read is checked; what changes the mathematics and is not supported is
// refused by name; what is unknown and harmless is a warning. Remote code
// (auto_map) is never looked at.
#pragma once

#include "runtime/formats/model/decoder_layer.h"
#include "runtime/formats/model/rope.h"

namespace nibble {

struct ModelConfig {
  std::string modelType; // of a family (family.h): "llama", "qwen2", ...
  int64_t hiddenSize = 0, intermediateSize = 0, vocabSize = 0;
  std::vector<DecoderLayer> layers; // one entry for each; they may differ
  int64_t heads = 0, kvHeads = 0,
          headDim = 0; // heads is a multiple of kvHeads; headDim is even
  int64_t maxPositions = 0;
  double normEpsilon = 1e-6;
  Rope rope;
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
  int64_t layerCount() const { return static_cast<int64_t>(layers.size()); }

  // Reads folder/config.json and, when it is there,
  // folder/generation_config.json.
  static Result<ModelConfig> read(const std::string &folder);
  // Takes a parsed config.json; `where` stands in messages.
  static Result<ModelConfig> parse(const Json &config,
                                   const std::string &where);
};

} // namespace nibble
