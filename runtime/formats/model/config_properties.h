// Fields in other tools' config.json that spell out what every supported
// decoder does. Examples are rope, causal attention, RMS norm, and a gated MLP
// with SiLU. The usual value changes nothing. `false`, or another kind, means
// other mathematics.
#pragma once

#include "runtime/formats/json.h"

#include <string_view>
#include <vector>

namespace nibble {

enum class Agreement {
  kNone,    // the key names no such property
  kAgrees,  // the value is what supported models do
  kDiffers, // the value is anything else
};

// Classifies the value of `key`. The words of the key identify a property, and
// all of them must belong to it. Examples are "use_rope", "rotary_emb",
// "use_causal_mask", "norm_type" and "embedding_multiplier". `hasQkNorm` says
// whether the model has an RMS norm for the heads of q and k; only qwen3 has
// it.
Agreement agreementOf(std::string_view key, const Json &value, bool hasQkNorm);

} // namespace nibble
