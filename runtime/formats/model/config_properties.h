// Fields of other tools' config.json that spell out what every supported
// decoder does: rope, causal attention, RMS norm, a gated MLP of SiLU. There
// `false`, or another kind, is other mathematics, and the usual value changes
// nothing.
#pragma once

#include "runtime/formats/json.h"

#include <string_view>
#include <vector>

namespace nibble {

enum class Agreement {
  kNone,    // the key names no such property
  kAgrees,  // the value is what supported models do
  kDiffers, // it is anything else
};

// What the value of `key` says. `hasQkNorm`: whether the model has an RMS norm
// of the heads of q and k, which qwen3 has and the others have not. A property
// is recognized by the words of the key, all of which must belong to it:
// "use_rope", "rotary_emb", "use_causal_mask", "norm_type",
// "embedding_multiplier".
Agreement agreementOf(std::string_view key, const Json &value, bool hasQkNorm);

} // namespace nibble
