// Turns rewards into advantages, and samples into sequences to train on.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rollout/request.h"
#include "runtime/train/batch.h"

#include <span>
#include <vector>

namespace nibble {

// One sampled response and its score.
struct ScoredSample {
  Sample sample;
  std::string response; // decoded text without stop tokens
  double reward = 0;
  bool failed = false; // it has no reward, so it takes no part in training
  double advantage = 0;
};

// The samples of one prompt.
struct Group {
  uint64_t problem = 0; // index in the training split
  std::vector<int32_t> prompt;
  std::vector<ScoredSample> samples;
};

// Mean and population standard deviation, in multiples of `unit`. The unit is a
// power of two. It is 1 unless squares of the values would overflow or
// underflow.
struct Moments {
  double unit = 1;
  double mean = 0;
  double deviation = 0;
};
// Computes them in two passes; the second corrects for the rounding of the mean
// (Chan, Golub & LeVeque, "Algorithms for computing the sample variance",
// 1983). Both are 0 when there are no values.
Moments momentsOf(std::span<const double> values);

// Group-relative advantages (Shao et al., "DeepSeekMath", 2024): reward minus
// the group's mean, divided by its population standard deviation plus epsilon.
// kGroupMean leaves out the division (Liu et al., "Understanding R1-Zero-like
// training", 2025).
//
// Negative advantages are then multiplied by `negativeWeight`: when a problem
// has one right answer only, the gradient of a wrong one is mostly noise.
// Failed samples are ignored. All arithmetic is in double, in the order of the
// samples. Equal rewards (isUniform) give exactly 0.
void assignAdvantages(Group &group, Advantage kind, double epsilon,
                      double negativeWeight = 1.0);

// Whether a group teaches nothing: it has fewer than two scored samples, or all
// rewards are equal. Rewards within 4 units in the last place of the largest
// count as equal, because sums of the same terms in different orders differ by
// that.
bool isUniform(const Group &group);

// Builds the sequences to train on, with mask, advantage, old log-probabilities
// and weights. A sample that is empty or failed gives no sequence, nor does a
// truncated one with maskTruncated. `places` receives (group, sample) of each
// sequence.
struct SamplePlace {
  size_t group, sample;
};
std::vector<TrainSequence> toSequences(std::span<const Group> groups,
                                       const Config &config,
                                       std::vector<SamplePlace> &places);

// Joins prompt and response into one sequence. Rows whose target is a token of
// the response have mask 1.
TrainSequence toSequence(std::span<const int32_t> prompt, const Sample &sample);

// Compares training's log-probabilities of sampled tokens, bit for bit, with
// those that the rollout recorded.
struct Mismatch {
  int64_t samples = 0, tokens = 0;
  int64_t mismatches = 0; // number of tokens whose bits differ
  // Sum over samples of the mean of |training - rollout| over tokens.
  double sumOfMeans = 0;
  double meanAbsoluteDifference() const {
    return samples ? sumOfMeans / static_cast<double>(samples) : 0;
  }

  // `training` holds the rows of the sample's sequence, with the prompt's rows
  // first.
  void add(const Sample &sample, std::span<const float> training);
};

} // namespace nibble
