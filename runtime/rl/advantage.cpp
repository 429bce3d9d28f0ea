// Computes advantages of groups of samples, and counts mismatches of
// log-probabilities.
#include "runtime/rl/advantage.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace nibble {

Moments momentsOf(std::span<const double> values) {
  Moments moments;
  double largest = 0;
  double count = static_cast<double>(values.size());
  for (double value : values)
    largest = std::max(largest, std::abs(value));
  if (largest == 0)
    return moments;
  if (largest > 0x1p500 || largest < 0x1p-500)
    moments.unit = std::ldexp(1.0, std::ilogb(largest));
  double sum = 0, squares = 0, rest = 0;
  for (double value : values)
    sum += value / moments.unit;
  moments.mean = sum / count;
  for (double value : values) {
    double distance = value / moments.unit - moments.mean;
    squares += distance * distance;
    rest += distance; // 0 except for the rounding of the mean
  }
  moments.deviation =
      std::sqrt(std::max(0.0, squares - rest * rest / count) / count);
  return moments;
}

void assignAdvantages(Group &group, Advantage kind, double epsilon,
                      double negativeWeight) {
  std::vector<double> rewards;
  for (const ScoredSample &sample : group.samples)
    if (!sample.failed)
      rewards.push_back(sample.reward);
  bool uniform = isUniform(group);
  Moments moments = momentsOf(rewards);
  double scale = kind == Advantage::kGroupStd
                     ? moments.deviation + epsilon / moments.unit
                     : 1 / moments.unit;
  for (ScoredSample &sample : group.samples) {
    sample.advantage =
        uniform || sample.failed
            ? 0.0
            : (sample.reward / moments.unit - moments.mean) / scale;
    if (sample.advantage < 0)
      sample.advantage *= negativeWeight;
  }
}

bool isUniform(const Group &group) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double least = kInfinity;
  double most = -kInfinity;
  for (const ScoredSample &sample : group.samples)
    if (!sample.failed) {
      least = std::min(least, sample.reward);
      most = std::max(most, sample.reward);
    }
  if (least >= most) // at most one value
    return true;
  double largest = std::max(std::abs(least), std::abs(most));
  return most - least <= 4 * (largest - std::nextafter(largest, 0.0));
}

TrainSequence toSequence(std::span<const int32_t> prompt,
                         const Sample &sample) {
  TrainSequence sequence;
  sequence.tokens.assign(prompt.begin(), prompt.end());
  sequence.tokens.insert(sequence.tokens.end(), sample.tokens.begin(),
                         sample.tokens.end());
  sequence.temperature = sample.temperature;
  size_t before = prompt.size() - 1; // rows whose target belongs to the prompt
  sequence.mask.assign(before, 0.0f);
  sequence.mask.insert(sequence.mask.end(), sample.tokens.size(), 1.0f);
  sequence.oldLogProbability.assign(before, 0.0f);
  sequence.oldLogProbability.insert(sequence.oldLogProbability.end(),
                                    sample.logProbability.begin(),
                                    sample.logProbability.end());
  return sequence;
}

std::vector<TrainSequence> toSequences(std::span<const Group> groups,
                                       const Config &config,
                                       std::vector<SamplePlace> &places) {
  std::vector<TrainSequence> sequences;
  places.clear();
  double tokens = 0;
  for (size_t g = 0; g < groups.size(); ++g)
    for (size_t s = 0; s < groups[g].samples.size(); ++s) {
      const ScoredSample &scored = groups[g].samples[s];
      bool truncated = scored.sample.finish != FinishReason::kStop;
      if (scored.failed || scored.sample.tokens.empty() ||
          (config.rl.maskTruncated && truncated))
        continue;
      TrainSequence &sequence =
          sequences.emplace_back(toSequence(groups[g].prompt, scored.sample));
      sequence.advantage.assign(sequence.mask.size(),
                                static_cast<float>(scored.advantage));
      places.push_back({g, s});
      tokens += static_cast<double>(scored.sample.tokens.size());
    }
  for (size_t i = 0; i < sequences.size(); ++i) {
    double own = static_cast<double>(
        groups[places[i].group].samples[places[i].sample].sample.tokens.size());
    double responses = static_cast<double>(sequences.size());
    double denominator = tokens;
    if (config.rl.lossNormalization == LossNormalization::kSequence)
      denominator = responses * own;
    else if (config.rl.lossNormalization == LossNormalization::kConstant)
      denominator =
          responses * static_cast<double>(config.rollout.sampling.maxNewTokens);
    sequences[i].weight = sequences[i].mask;
    for (float &weight : sequences[i].weight)
      weight *= static_cast<float>(1.0 / denominator);
  }
  return sequences;
}

void Mismatch::add(const Sample &sample, std::span<const float> training) {
  size_t count = sample.tokens.size();
  if (count == 0)
    return;
  auto rows = training.last(count);
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    float a = rows[i];
    float b = sample.logProbability[i];
    mismatches += std::bit_cast<uint32_t>(a) != std::bit_cast<uint32_t>(b);
    sum += std::abs(static_cast<double>(a) - static_cast<double>(b));
  }
  ++samples;
  tokens += static_cast<int64_t>(count);
  sumOfMeans += sum / static_cast<double>(count);
}

} // namespace nibble
