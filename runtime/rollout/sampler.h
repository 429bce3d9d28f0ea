// One token from one row of logits. A pure function of the row, the options and
// 64 random bits.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

struct SamplingOptions {
  double temperature =
      1.0;           // 0: greedy, the largest logit, ties to the lower token
  int64_t topK = 0;  // 0: off. Keep the k most likely tokens
  double topP = 1.0; // 1: off. Of those, the shortest most-likely-first prefix
                     // with at least this share of their mass
  double minP = 0.0; // 0: off. Of those, the ones at least this likely relative
                     // to the most likely one
  int64_t maxNewTokens = 128;
  std::vector<int32_t> stopTokens =
      {}; // the sampled stop token is part of the sample

  bool greedy() const { return temperature == 0.0; }
  bool filtered() const {
    return !greedy() && (topK > 0 || topP < 1.0 || minP > 0.0);
  }
  // The temperature under which log-probabilities are recorded: 1 for greedy.
  float recordedTemperature() const {
    return greedy() ? 1.0f : static_cast<float>(temperature);
  }
};

// Usage error that names the option out of range.
Status check(const SamplingOptions &options);

struct Choice {
  int32_t token = 0;
  // Natural logarithm of the share of the temperature-scaled distribution that
  // the filters kept; 0 without filters.
  float logKeptMass = 0;
};

// Why nothing can be drawn, of a row's status: kind + 4 * token
// (lib/Numerics/sampling.h). Ok for 0.
Status describeBadRow(int32_t status);

// A token weighs an integer, exp(x / temperature - largest) * 2^44 rounded, so
// that no sum has an order (N16) and every target draws the same token from the
// same logits. The row is divided by the temperature in float32, as the
// program's log-probability does; what follows is double.
class Sampler {
public:
  // logits: [V] f32, V at most 2^19. Failed when a logit is NaN or +inf, or
  // none is finite.
  Result<Choice> choose(std::span<const float> logits,
                        const SamplingOptions &options, uint64_t randomBits);

private:
  uint64_t pivotOf(std::span<const float> logits,
                   const SamplingOptions &options, uint64_t all);

  std::vector<uint64_t> mass_, ranks_;
};

} // namespace nibble
