// Filters a row of logits and draws a token from it. All sums have a fixed
// result.
#include "runtime/rollout/sampler.h"

#include "lib/Numerics/sampling.h"
#include "runtime/core/philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nibble {

using numerics::BadRow;
using numerics::massOf;

Status check(const SamplingOptions &options) {
  if (!(options.temperature >= 0.0 && options.temperature <= 100.0))
    return Status::usage(fmt::format(
        "temperature: {} is not in 0..100; choose one of that range",
        options.temperature));
  if (options.topK < 0)
    return Status::usage(
        fmt::format("top_k: {} is negative; 0 switches it off", options.topK));
  if (!(options.topP > 0.0 && options.topP <= 1.0))
    return Status::usage(fmt::format(
        "top_p: {} is not in (0, 1]; 1 switches it off", options.topP));
  if (!(options.minP >= 0.0 && options.minP <= 1.0))
    return Status::usage(fmt::format(
        "min_p: {} is not in 0..1; 0 switches it off", options.minP));
  if (options.maxNewTokens < 0)
    return Status::usage(
        fmt::format("max_new_tokens: {} is negative; choose 0 or more",
                    options.maxNewTokens));
  return Status::ok();
}

namespace {

// Loops over a whole vocabulary, compiled for several vector widths. All widths
// give the same bits, because the operations are integer or IEEE without
// contraction.
#define NIBBLE_ANY_WIDTH                                                       \
  __attribute__((target_clones("avx512f", "avx2", "default")))
constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 512; // number of tokens that a draw skips at a time

NIBBLE_ANY_WIDTH void massesOf(const float *logits, int64_t count,
                               float temperature, float largest,
                               uint64_t *mass) {
  float quotient = largest / temperature;
  for (int64_t i = 0; i < count; ++i)
    mass[i] = massOf(logits[i], largest, temperature, quotient);
}

NIBBLE_ANY_WIDTH uint64_t sumOf(const uint64_t *mass, int64_t count) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += mass[i];
  return sum;
}

NIBBLE_ANY_WIDTH void ranksOf(const float *logits, int64_t count,
                              uint64_t *ranks) {
  for (int64_t i = 0; i < count; ++i)
    ranks[i] = numerics::rankOf(logits[i], static_cast<uint32_t>(i));
}

// Removes the mass of tokens that rank behind the pivot or weigh less than
// `least`.
NIBBLE_ANY_WIDTH void keepOnly(const float *logits, int64_t count,
                               uint64_t pivot, uint64_t least, uint64_t *mass) {
  for (int64_t i = 0; i < count; ++i)
    mass[i] = numerics::rankOf(logits[i], static_cast<uint32_t>(i)) <= pivot &&
                      mass[i] >= least
                  ? mass[i]
                  : 0;
}

// The largest logit, or NaN when one is NaN.
NIBBLE_ANY_WIDTH float largestValue(const float *logits, int64_t count) {
  float lanes[kLanes];
  float largest = -std::numeric_limits<float>::infinity();
  int32_t bad[kLanes] = {};
  int32_t anyBad = 0;
  for (float &lane : lanes)
    lane = largest;
  int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      float x = logits[i + l];
      lanes[l] = x > lanes[l] ? x : lanes[l];
      bad[l] |= x != x;
    }
  for (int64_t i = whole; i < count; ++i) {
    largest = logits[i] > largest ? logits[i] : largest;
    anyBad |= logits[i] != logits[i];
  }
  for (int64_t l = 0; l < kLanes; ++l) {
    largest = lanes[l] > largest ? lanes[l] : largest;
    anyBad |= bad[l];
  }
  return anyBad ? std::numeric_limits<float>::quiet_NaN() : largest;
}

// The error of a row with a NaN or an infinite largest logit.
Status whyBad(std::span<const float> logits) {
  for (size_t i = 0; i < logits.size(); ++i) {
    BadRow kind = std::isnan(logits[i]) ? BadRow::kNaN
                  : logits[i] == std::numeric_limits<float>::infinity()
                      ? BadRow::kInfinite
                      : BadRow::kNone;
    if (kind != BadRow::kNone)
      return describeBadRow(static_cast<int32_t>(kind) +
                            numerics::kBadRowKinds * static_cast<int32_t>(i));
  }
  return describeBadRow(static_cast<int32_t>(BadRow::kNoneFinite));
}

constexpr uint64_t kEverything = ~uint64_t{0};

} // namespace

Status describeBadRow(int32_t status) {
  int32_t token = status / numerics::kBadRowKinds;
  switch (static_cast<BadRow>(status % numerics::kBadRowKinds)) {
  case BadRow::kNone:
    return Status::ok();
  case BadRow::kNaN:
    return Status::failed(fmt::format(
        "logit of token {} is nan; check the weights and the learning rate",
        token));
  case BadRow::kInfinite:
    return Status::failed(fmt::format(
        "logit of token {} is inf; check the weights and the learning rate",
        token));
  default:
    return Status::failed(
        "logits: none is finite; check the weights and the learning rate");
  }
}

// The last token in the ranking that top_k and top_p keep.
uint64_t Sampler::pivotOf(std::span<const float> logits,
                          const SamplingOptions &options, uint64_t all) {
  auto count = static_cast<int64_t>(logits.size());
  bool fewer = options.topK > 0 && options.topK < count;
  if (!fewer && options.topP >= 1.0)
    return kEverything;
  ranks_.resize(logits.size());
  ranksOf(logits.data(), count, ranks_.data());
  auto massAt = [&](int64_t i) {
    return mass_[ranks_[i] & ((uint64_t{1} << numerics::kRankTokenBits) - 1)];
  };
  uint64_t left = all; // mass that top_k keeps
  int64_t most = fewer ? options.topK : count;
  if (fewer) {
    std::nth_element(ranks_.begin(), ranks_.begin() + most - 1, ranks_.end());
    left = 0;
    for (int64_t i = 0; i < most; ++i)
      left += massAt(i);
  }
  if (options.topP >= 1.0)
    return ranks_[most - 1];
  uint64_t wanted = numerics::wantedMass(options.topP, left);
  uint64_t sum = 0;
  // Sorts only as far as needed, because most filters keep few of many tokens.
  for (int64_t sorted = 0, next = 0;; sorted = next) {
    next = std::min(most, std::max<int64_t>(64, 4 * sorted));
    if (next < most)
      std::nth_element(ranks_.begin() + sorted, ranks_.begin() + next,
                       ranks_.begin() + most);
    std::sort(ranks_.begin() + sorted, ranks_.begin() + next);
    for (int64_t i = sorted; i < next; ++i)
      if (sum += massAt(i); sum >= wanted)
        return ranks_[i];
  }
}

Result<Choice> Sampler::choose(std::span<const float> logits,
                               const SamplingOptions &options,
                               uint64_t randomBits) {
  auto count = static_cast<int64_t>(logits.size());
  if (count > numerics::kMostTokens)
    return Status::failed(fmt::format("{} logits; a vocabulary may have {}",
                                      count, numerics::kMostTokens));
  float largest = largestValue(logits.data(), count);
  if (!std::isfinite(largest))
    return whyBad(logits);
  if (options.greedy())
    return Choice{
        static_cast<int32_t>(std::find(logits.begin(), logits.end(), largest) -
                             logits.begin()),
        0};

  mass_.resize(logits.size());
  massesOf(logits.data(), count, static_cast<float>(options.temperature),
           largest, mass_.data());
  uint64_t all = sumOf(mass_.data(), count);
  uint64_t kept = all;
  if (options.filtered()) {
    keepOnly(logits.data(), count, pivotOf(logits, options, all),
             numerics::leastMass(options.minP), mass_.data());
    kept = sumOf(mass_.data(), count);
  }
  // Select the first token at which the sum of masses exceeds a threshold below
  // `kept`.
  uint64_t threshold = toBelow(randomBits, kept);
  uint64_t sum = 0;
  int64_t i = 0;
  for (uint64_t next; i + kBlock < count; i += kBlock, sum = next) {
    next = sum + sumOf(mass_.data() + i, kBlock);
    if (next > threshold)
      break;
  }
  while ((sum += mass_[i]) <= threshold)
    ++i;
  return Choice{static_cast<int32_t>(i), numerics::logKeptMass(kept, all)};
}

} // namespace nibble
