// Rotary position embedding: the frequencies for a configuration.
#pragma once

#include "runtime/formats/json.h"

#include <vector>

namespace nibble {

enum class RopeType { kDefault, kLinear, kLlama3, kYarn };

// The rope part of config.json. Formulas follow transformers'
// modeling_rope_utils. A pair takes one element from each half of a head:
// dimension i rotates with i + headDim/2.
struct Rope {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  double originalMaxPositions = 0.0; // for llama3 and yarn
  // for llama3
  double lowFrequencyFactor = 0.0, highFrequencyFactor = 0.0;
  // for yarn
  double betaFast = 32.0;
  double betaSlow = 1.0;
  bool truncate = true;
  // Factor of cos and sin; 1 except for yarn.
  double attentionFactor = 1.0;

  // Radians per position, float32 [headDim / 2]: theta^(-2i/headDim), then
  // scaled. They are computed in double and rounded once.
  std::vector<float> inverseFrequencies(int64_t headDim) const;

  bool operator==(const Rope &) const = default;
};

// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling`
// (4). Bad input names the field. An unknown rope_type is refused with the list
// of the four known ones, and a type's fields without a type are refused too.
// Unknown fields follow the rule of config_keys.h. Fields of another type than
// the file's are warnings.
Result<Rope> readRope(const Json &config, const std::string &where,
                      double defaultTheta, int64_t maxPositions,
                      std::vector<std::string> &warnings);

} // namespace nibble
