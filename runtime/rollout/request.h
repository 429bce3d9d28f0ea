// The request to a rollout, and its result.
#pragma once

#include "runtime/rollout/sampler.h"

#include <cstdint>
#include <vector>

namespace nibble {

// Requests samples of one prompt. Sample i draws with randomBits(seed, step,
// firstSample + i, token). When every sample of a step has its own number, the
// grouping of requests into batches has no effect.
struct Request {
  std::vector<int32_t> prompt = {}; // token ids
  int64_t samples = 1;
  SamplingOptions sampling = {};
  uint64_t seed = 0, step = 0, firstSample = 0;
};

enum class FinishReason {
  kStop,    // a stop token was sampled and is the last token
  kLength,  // max_new_tokens was reached
  kContext, // the model's context is full, possibly from the prompt alone
};
const char *nameOf(FinishReason reason);

// One sample. Lists per token have one entry for each sampled token.
struct Sample {
  std::vector<int32_t> tokens;
  // Under the full distribution scaled by the temperature. Greedy sampling uses
  // temperature 1.
  std::vector<float> logProbability;
  std::vector<float> logKeptMass; // 0 where no filter removed anything
  // Entropy of the full distribution scaled by the temperature. Empty when the
  // program has none.
  std::vector<float> entropy;
  float temperature = 1; // temperature of the recorded log-probabilities
  FinishReason finish = FinishReason::kLength;
  uint64_t number = 0;        // firstSample of the request, plus i
  uint64_t weightVersion = 0; // the same for every token
};

} // namespace nibble
