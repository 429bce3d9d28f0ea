// Small configurations of each family.
#pragma once

#include "runtime/formats/model/model_config.h"

namespace nibble::huggingface {

inline ModelConfig smallConfig(const std::string &modelType) {
  ModelConfig config;
  config.modelType = modelType;
  config.vocabSize = 100;
  config.hiddenSize = 64;
  config.intermediateSize = 96;
  config.heads = 4;
  config.kvHeads = 2;
  // For qwen3, heads * head_dim differs from hidden_size.
  config.headDim = modelType == "qwen3" ? 32 : 16;
  DecoderLayer layer;
  layer.qkvBias = modelType == "qwen2";
  layer.qkNorm = modelType == "qwen3";
  config.layers.assign(2, layer);
  return config;
}

} // namespace nibble::huggingface
