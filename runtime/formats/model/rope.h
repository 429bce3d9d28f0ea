// Rotary position embedding: the frequencies that a configuration means.
#pragma once

#include "runtime/formats/json.h"

#include <vector>

namespace nibble {

enum class RopeType { kDefault, kLinear, kLlama3, kYarn };

// The rope part of config.json; formulas follow transformers'
// modeling_rope_utils. Pairs are halves of a head: dimension i turns with i +
// headDim/2.
struct Rope {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  double originalMaxPositions = 0.0; // llama3, yarn
  // llama3
  double lowFrequencyFactor = 0.0, highFrequencyFactor = 0.0;
  // yarn
  double betaFast = 32.0;
  double betaSlow = 1.0;
  bool truncate = true;
  double attentionFactor =
      1.0; // cos and sin are multiplied with it; 1 unless yarn

  // Radians per position, float32 [headDim / 2]: theta^(-2i/headDim), then
  // scaled. Computed in double and rounded once.
  std::vector<float> inverseFrequencies(int64_t headDim) const;

  bool operator==(const Rope &) const = default;
};

// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling`
// (4). Bad input naming the field; a rope_type that is not one of the four is
// refused with the list of those, and so are fields of a type without a type.
// Fields that are not known follow the rule of config_keys.h; those of another
// type than the file's are warnings.
Result<Rope> readRope(const Json &config, const std::string &where,
                      double defaultTheta, int64_t maxPositions,
                      std::vector<std::string> &warnings);

} // namespace nibble
