// The samples that a step learns from: prompts, responses, rewards, advantages;
// with the group filter and over-sampling.
#pragma once

#include "runtime/rl/advantage.h"
#include "runtime/rl/environment.h"
#include "runtime/rollout/engine.h"

#include <functional>

namespace nibble {

struct Collected {
  std::vector<Group> kept;    // at most config.rl.promptsPerStep
  std::vector<Group> dropped; // by the filter
  int64_t rounds = 0;
  uint64_t nextProblem = 0;
  double rolloutSeconds = 0, rewardSeconds = 0; // of the clock
  int64_t sampledTokens = 0;
  std::string rewardProblem; // why the first response without a reward has
                             // none; empty: all have one
};

// Generates groups for problems nextProblem, nextProblem + 1, ... of the
// training split until enough are kept or config.rl.maxSamplingRounds are over.
// Samples are numbered by problem within the step, so what a sample holds does
// not depend on rounds.
Result<Collected> collectGroups(const Config &config,
                                const Environment &environment,
                                RolloutEngine &rollout, int64_t step,
                                uint64_t nextProblem, uint64_t weightVersion,
                                const std::function<bool()> &stop);

} // namespace nibble
