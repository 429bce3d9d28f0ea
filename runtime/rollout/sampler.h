// Draws one token from one row of logits. The result is a pure function of the
// row, the options and 64 random bits.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

struct SamplingOptions {
  // 0 is greedy: the largest logit, with ties to the lower token.
  double temperature = 1.0;
  // Keeps the k most likely tokens; 0 disables it.
  int64_t topK = 0;
  // Then keeps the shortest most-likely-first prefix with at least this
  // share of their mass; 1 disables it.
  double topP = 1.0;
  // Then keeps the tokens at least this likely relative to the most likely
  // one; 0 disables it.
  double minP = 0.0;
  int64_t maxNewTokens = 128;
  // The sampled stop token is part of the sample.
  std::vector<int32_t> stopTokens = {};

  bool greedy() const { return temperature == 0.0; }
  bool filtered() const {
    return !greedy() && (topK > 0 || topP < 1.0 || minP > 0.0);
  }
  // The temperature under which log-probabilities are recorded; 1 for greedy.
  float recordedTemperature() const {
    return greedy() ? 1.0f : static_cast<float>(temperature);
  }
};

// Usage error naming an option that is out of range.
Status check(const SamplingOptions &options);

struct Choice {
  int32_t token = 0;
  // Natural logarithm of the share of the distribution that the filters kept,
  // after scaling by the temperature. 0 without filters.
  float logKeptMass = 0;
};

// The error for a row's status: kind + 4 * token (lib/Numerics/sampling.h). Ok
// for 0.
Status describeBadRow(int32_t status);

// The weight of a token is an integer, exp(x / temperature - largest) * 2^44
// rounded. Sums of integers do not depend on their order (N16), so every target
// draws the same token from the same logits. The division by the temperature is
// in float32, as in the program's log-probability. Later steps are in double.
class Sampler {
public:
  // Draws a token from logits [V] f32, V at most 2^19. Failed when a logit is
  // NaN or +inf, or none is finite.
  Result<Choice> choose(std::span<const float> logits,
                        const SamplingOptions &options, uint64_t randomBits);

private:
  uint64_t pivotOf(std::span<const float> logits,
                   const SamplingOptions &options, uint64_t all);

  std::vector<uint64_t> mass_, ranks_;
};

} // namespace nibble
