// Measures the present weights on problems that are never trained on.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rl/environment.h"
#include "runtime/rollout/engine.h"

#include <functional>

namespace nibble {

struct Evaluation {
  double reward = 0; // mean over problems; a failed reward counts as 0
  double length = 0; // mean number of tokens in a response
  int64_t problems = 0;
  int64_t failed = 0;        // number of responses without a reward
  std::string rewardProblem; // why the first of them has none
};

// Evaluates the first config.eval.problems of the held-out split, or all if
// there are fewer. Each gets one response at config.eval.temperature.
Result<Evaluation> evaluateHeldOut(const Config &config,
                                   const Environment &environment,
                                   RolloutEngine &rollout, int64_t step,
                                   uint64_t weightVersion,
                                   const std::function<bool()> &stop);

// The text of a response, without a stop token at its end.
std::string responseText(const Environment &environment, const Sample &sample);

} // namespace nibble
