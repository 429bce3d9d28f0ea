// config.json and generation_config.json of a HuggingFace checkpoint, in the
// spellings of transformers 4 and 5.
//
// Every field that is read is checked. An unsupported field that changes the
// mathematics is refused by name. An unknown harmless field is a warning.
// Remote code (auto_map) is never read.
#pragma once

#include "runtime/formats/model/decoder_layer.h"
#include "runtime/formats/model/rope.h"

namespace nibble {

struct ModelConfig {
  std::string modelType; // name of a family (family.h): "llama", "qwen2", ...
  int64_t hiddenSize = 0, intermediateSize = 0, vocabSize = 0;
  std::vector<DecoderLayer> layers; // one entry for each layer; they may differ
  // `heads` is a multiple of kvHeads, and headDim is even.
  int64_t heads = 0, kvHeads = 0, headDim = 0;
  int64_t maxPositions = 0;
  double normEpsilon = 1e-6;
  Rope rope;
  bool tieWordEmbeddings = false; // whether lm_head is embed_tokens
  // Dtype of the training: "bfloat16", "float16", "float32".
  std::string dtype = "float32";
  // generation_config.json takes precedence; may be empty.
  std::vector<int64_t> eosTokens;
  std::optional<int64_t> bosToken, padToken;
  // quantization_config of compressed-tensors, see quantized_checkpoint.h.
  std::optional<Json> quantization;
  std::vector<std::string> warnings;

  // Radians per position, float32 [headDim / 2].
  std::vector<float> inverseFrequencies() const {
    return rope.inverseFrequencies(headDim);
  }
  float attentionFactor() const {
    return static_cast<float>(rope.attentionFactor);
  }
  int64_t layerCount() const { return static_cast<int64_t>(layers.size()); }

  // Reads folder/config.json and, when it exists,
  // folder/generation_config.json.
  static Result<ModelConfig> read(const std::string &folder);
  // Reads a parsed config.json. `where` stands in messages.
  static Result<ModelConfig> parse(const Json &config,
                                   const std::string &where);
};

} // namespace nibble
