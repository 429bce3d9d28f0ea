// How good the present weights are on problems that are never trained on.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rl/environment.h"
#include "runtime/rollout/engine.h"

#include <functional>

namespace nibble {

struct Evaluation {
  double reward = 0; // mean over problems; a failed reward counts 0
  double length = 0; // mean tokens of a response
  int64_t problems = 0;
  int64_t failed = 0;        // responses without a reward
  std::string rewardProblem; // why the first of them has none
};

// The first config.eval.problems of the held-out split (all, where there are
// fewer), one response each at config.eval.temperature.
Result<Evaluation> evaluateHeldOut(const Config &config,
                                   const Environment &environment,
                                   RolloutEngine &rollout, int64_t step,
                                   uint64_t weightVersion,
                                   const std::function<bool()> &stop);

// The text of a response: its tokens without a stop token at the end.
std::string responseText(const Environment &environment, const Sample &sample);

} // namespace nibble
