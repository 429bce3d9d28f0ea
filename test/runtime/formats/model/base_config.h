// A small config.json for tests to change. It serves any family and causes no
// warning.
#pragma once

#include "runtime/formats/json.h"

namespace nibble::testing {

inline Json base(const char *type = "llama") {
  return {{"model_type", type},       {"hidden_size", 64},
          {"intermediate_size", 96},  {"num_hidden_layers", 2},
          {"vocab_size", 320},        {"num_attention_heads", 4},
          {"num_key_value_heads", 2}, {"rms_norm_eps", 1e-5},
          {"rope_theta", 500000.0},   {"max_position_embeddings", 64}};
}

} // namespace nibble::testing
