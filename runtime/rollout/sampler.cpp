#include "runtime/rollout/sampler.h"

#include "runtime/core/philox.h"
#include "runtime/rollout/math.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace nibble {

Status check(const SamplingOptions &options) {
  if (!(options.temperature >= 0.0 && options.temperature <= 100.0))
    return Status::usage(fmt::format("temperature: {} is not in 0..100", options.temperature));
  if (options.topK < 0)
    return Status::usage(fmt::format("top_k: {} is negative; 0 switches it off", options.topK));
  if (!(options.topP > 0.0 && options.topP <= 1.0))
    return Status::usage(fmt::format("top_p: {} is not in (0, 1]; 1 switches it off", options.topP));
  if (!(options.minP >= 0.0 && options.minP <= 1.0))
    return Status::usage(fmt::format("min_p: {} is not in 0..1; 0 switches it off", options.minP));
  if (options.maxNewTokens < 0)
    return Status::usage(fmt::format("max_new_tokens: {} is negative", options.maxNewTokens));
  return Status::ok();
}

namespace {

// Loops over all of a vocabulary, compiled for several vector widths. IEEE operations without contraction, in lanes of
// a fixed number, give the same bits in each.
#define NIBBLE_ANY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
constexpr int64_t kLanes = 16;

// mass[i] = exp(logits[i] / temperature - largest), and their sum: lane l takes i = 16 s + l, then lanes ascending.
NIBBLE_ANY_WIDTH double massesOf(const float *logits, int64_t count, float temperature, double largest, double *mass) {
  for (int64_t i = 0; i < count; ++i)
    mass[i] = exactExp(static_cast<double>(logits[i] / temperature) - largest);
  double lanes[kLanes] = {}, sum = 0;
  int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l)
      lanes[l] += mass[i + l];
  for (int64_t i = whole; i < count; ++i)
    lanes[i - whole] += mass[i];
  for (double lane : lanes)
    sum += lane;
  return sum;
}

// The largest logit; NaN when one is NaN.
NIBBLE_ANY_WIDTH float largestValue(const float *logits, int64_t count) {
  float lanes[kLanes], largest = -std::numeric_limits<float>::infinity();
  int32_t bad[kLanes] = {}, anyBad = 0;
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

// Index of the largest logit, the lower of equal ones.
Result<int64_t> largestOf(std::span<const float> logits) {
  float largest = largestValue(logits.data(), static_cast<int64_t>(logits.size()));
  if (largest == -std::numeric_limits<float>::infinity())
    return Status::failed("no logit is finite");
  bool usable = std::isfinite(largest);
  for (size_t i = 0; i < logits.size(); ++i) {
    if (usable && logits[i] == largest)
      return static_cast<int64_t>(i);
    if (!usable && (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity()))
      return Status::failed(fmt::format("logit of token {} is {}", i, logits[i]));
  }
  return Status::failed("no logit is finite");
}

} // namespace

// Sorts as much of `order_` as is asked for: most filters keep few of many tokens.
int32_t Sampler::ranked(int64_t rank, std::span<const float> logits) {
  auto before = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  int64_t count = static_cast<int64_t>(order_.size());
  while (rank >= sorted_) {
    int64_t next = std::min(count, std::max<int64_t>(64, 4 * sorted_));
    std::nth_element(order_.begin() + sorted_, order_.begin() + next - 1, order_.end(), before);
    std::sort(order_.begin() + sorted_, order_.begin() + next, before);
    sorted_ = next;
  }
  return order_[rank];
}

Result<Choice> Sampler::choose(std::span<const float> logits, const SamplingOptions &options, uint64_t randomBits) {
  int64_t count = static_cast<int64_t>(logits.size());
  NIBBLE_ASSIGN(int64_t best, largestOf(logits));
  if (options.greedy())
    return Choice{static_cast<int32_t>(best), 0};

  float temperature = static_cast<float>(options.temperature);
  mass_.resize(count);
  double all = massesOf(logits.data(), count, temperature, logits[best] / temperature, mass_.data());

  // Draws from mass_[at(0)], mass_[at(1)], ... in that order.
  auto draw = [&](int64_t kept, double total, auto at) {
    double threshold = toUnit(randomBits) * total, sum = 0;
    int64_t last = at(0);
    for (int64_t i = 0; i < kept; ++i) {
      int64_t token = at(i);
      if (mass_[token] > 0)
        last = token; // what is left when rounding makes the sum end below the threshold
      sum += mass_[token];
      if (sum > threshold)
        return static_cast<int32_t>(token);
    }
    return static_cast<int32_t>(last);
  };
  if (!options.filtered())
    return Choice{draw(count, all, [](int64_t i) { return i; }), 0};

  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  sorted_ = 0;
  int64_t most = options.topK > 0 ? std::min(options.topK, count) : count;
  double wanted = std::numeric_limits<double>::infinity();
  if (options.topP < 1.0) {
    double left = all; // mass that top_k leaves
    if (most < count) {
      left = 0;
      for (int64_t i = 0; i < most; ++i)
        left += mass_[ranked(i, logits)];
    }
    wanted = options.topP * left;
  }
  // Every filter keeps a prefix of the ranking, and always its first.
  int64_t kept = 0;
  double total = 0;
  while (kept < most) {
    double mass = mass_[ranked(kept, logits)];
    if (kept > 0 && (total >= wanted || mass < options.minP * mass_[order_[0]]))
      break;
    total += mass;
    ++kept;
  }
  // The two sums run in different orders: when nothing was removed the share is 1 by definition, not by luck.
  double share = kept == count ? 1.0 : std::min(1.0, total / all);
  return Choice{draw(kept, total, [&](int64_t i) { return order_[i]; }), static_cast<float>(exactLog(share))};
}

} // namespace nibble
