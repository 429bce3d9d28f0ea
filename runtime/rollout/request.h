// What a rollout is asked for, and what it gives.
#pragma once

#include "runtime/rollout/sampler.h"

#include <cstdint>
#include <vector>

namespace nibble {

// Samples of one prompt. Sample i draws with randomBits(seed, step, firstSample
// + i, token): give every sample of a step its own number, and it does not
// matter which requests stand together in a batch.
struct Request {
  std::vector<int32_t> prompt = {}; // token ids
  int64_t samples = 1;
  SamplingOptions sampling = {};
  uint64_t seed = 0, step = 0, firstSample = 0;
};

enum class FinishReason {
  kStop,    // a stop token was sampled; it is the last token
  kLength,  // max_new_tokens
  kContext, // the model's context is full, possibly by the prompt alone
};
const char *nameOf(FinishReason reason);

// Per token lists have one entry per sampled token.
struct Sample {
  std::vector<int32_t> tokens;
  // Under the temperature-scaled full distribution; greedy: temperature 1.
  std::vector<float> logProbability;
  std::vector<float> logKeptMass; // 0 where no filter removed anything
  std::vector<float> entropy; // of the temperature-scaled full distribution;
                              // empty when the program has none
  float temperature = 1;      // of the recorded log-probabilities
  FinishReason finish = FinishReason::kLength;
  uint64_t number = 0;        // the request's firstSample + i
  uint64_t weightVersion = 0; // of every token
};

} // namespace nibble
