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

Result<Choice> Sampler::choose(std::span<const float> logits, const SamplingOptions &options, uint64_t randomBits) {
  int64_t count = static_cast<int64_t>(logits.size());
  int64_t best = -1;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(logits[i]) || logits[i] == std::numeric_limits<float>::infinity())
      return Status::failed(fmt::format("logit of token {} is {}", i, logits[i]));
    if (best < 0 ? std::isfinite(logits[i]) : logits[i] > logits[best])
      best = i;
  }
  if (best < 0)
    return Status::failed("no logit is finite");
  if (options.greedy())
    return Choice{static_cast<int32_t>(best), 0};

  float temperature = static_cast<float>(options.temperature);
  double largest = logits[best] / temperature;
  mass_.resize(count);
  for (int64_t i = 0; i < count; ++i)
    mass_[i] = exactExp(static_cast<double>(logits[i] / temperature) - largest);

  // Draws from mass_[at(0)], mass_[at(1)], ... in that order.
  double unit = toUnit(randomBits);
  auto draw = [&](int64_t kept, double total, auto at) {
    double threshold = unit * total, sum = 0;
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
  double all = 0;
  for (double mass : mass_)
    all += mass;
  if (!options.filtered())
    return Choice{draw(count, all, [](int64_t i) { return i; }), 0};

  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  auto before = [&](int32_t a, int32_t b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; };
  int64_t kept = options.topK > 0 ? std::min(options.topK, count) : count;
  std::partial_sort(order_.begin(), order_.begin() + kept, order_.end(), before);
  double total = 0;
  for (int64_t i = 0; i < kept; ++i)
    total += mass_[order_[i]];
  if (options.topP < 1.0) {
    double wanted = options.topP * total, sum = 0;
    int64_t prefix = 0;
    while (prefix < kept && sum < wanted)
      sum += mass_[order_[prefix++]];
    kept = std::max<int64_t>(prefix, 1);
  }
  while (kept > 1 && mass_[order_[kept - 1]] < options.minP * mass_[order_[0]])
    --kept;
  total = 0;
  for (int64_t i = 0; i < kept; ++i)
    total += mass_[order_[i]];
  // The two sums run in different orders: when nothing was removed the share is 1 by definition, not by luck.
  double share = kept == count ? 1.0 : std::min(1.0, total / all);
  return Choice{draw(kept, total, [&](int64_t i) { return order_[i]; }), static_cast<float>(exactLog(share))};
}

} // namespace nibble
