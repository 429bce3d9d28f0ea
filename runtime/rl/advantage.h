// From rewards to advantages, and from samples to sequences to train on.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rollout/request.h"
#include "runtime/train/batch.h"

#include <span>
#include <vector>

namespace nibble {

// One sampled response and what became of it.
struct ScoredSample {
  Sample sample;
  std::string response; // decoded, without stop tokens
  double reward = 0;
  bool failed = false; // no reward could be had: takes no part in training
  double advantage = 0;
};

// The samples of one prompt.
struct Group {
  uint64_t problem = 0; // its index in the training split
  std::vector<int32_t> prompt;
  std::vector<ScoredSample> samples;
};

// Mean and population standard deviation, in multiples of `unit`: a power of
// two, 1 unless squares of the values would overflow or underflow.
struct Moments {
  double unit = 1;
  double mean = 0;
  double deviation = 0;
};
// In two passes, the second corrected by the rounding of the mean (Chan, Golub
// & LeVeque, "Algorithms for computing the sample variance", 1983). Both are 0
// where there are no values.
Moments momentsOf(std::span<const double> values);

// Group-relative advantages (Shao et al., "DeepSeekMath", 2024): reward minus
// the mean of the group, over its population standard deviation plus epsilon;
// with kGroupMean without the division (Liu et al., "Understanding R1-Zero-like
// training", 2025). Those below 0 are then multiplied by `negativeWeight`:
// where one answer only is right, the gradient of a wrong one is mostly noise.
// Failed samples are left out. All in double, in order of the samples; equal
// rewards (isUniform) give exactly 0.
void assignAdvantages(Group &group, Advantage kind, double epsilon,
                      double negativeWeight = 1.0);

// Whether a group teaches nothing: fewer than two scored samples, or all
// rewards equal. Rewards that differ by no more than 4 units in the last place
// of the largest count as equal: sums of the same parts in another order do.
bool isUniform(const Group &group);

// Sequences of the samples that are trained on, with mask, advantage, old
// log-probabilities and weights. A sample without a token, failed, or (with
// maskTruncated) cut off has none. `places` gets (group, sample) of each
// sequence.
struct SamplePlace {
  size_t group, sample;
};
std::vector<TrainSequence> toSequences(std::span<const Group> groups,
                                       const Config &config,
                                       std::vector<SamplePlace> &places);

// Prompt and response as one sequence; rows whose target is a token of the
// response have mask 1.
TrainSequence toSequence(std::span<const int32_t> prompt, const Sample &sample);

// Bits of training's log-probabilities against those that the rollout recorded,
// over sampled tokens.
struct Mismatch {
  int64_t samples = 0, tokens = 0;
  int64_t mismatches = 0; // tokens whose bits differ
  double sumOfMeans =
      0; // over samples: mean over tokens of |training - rollout|
  double meanAbsoluteDifference() const {
    return samples ? sumOfMeans / static_cast<double>(samples) : 0;
  }

  // `training` holds the rows of the sample's sequence (prompt rows first).
  void add(const Sample &sample, std::span<const float> training);
};

} // namespace nibble
