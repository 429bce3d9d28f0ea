// The frequencies of rotary embeddings, scaled as config.json says.
#pragma once

#include "lib/Frontend/HuggingFace/Config.h"

#include <vector>

namespace nibble::huggingface {

struct RopeFrequencies {
  std::vector<float> inverse;   // headDim / 2 of them: radians per position
  float attentionFactor = 1.0f; // cos and sin are multiplied by it (yarn)
};

// Formulas of transformers' modeling_rope_utils (default, linear, llama3, yarn), float32 as there. Llama3 cuts frequencies by
// wavelength against the original context; yarn (Peng et al., 2023) blends between dimensions found from beta_fast and beta_slow.
RopeFrequencies ropeFrequencies(const RopeConfig &config, int64_t headDim);

} // namespace nibble::huggingface
