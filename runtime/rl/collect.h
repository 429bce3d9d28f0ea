// Collects the samples that a step learns from: prompts, responses, rewards and
// advantages. It filters groups and over-samples.
#pragma once

#include "runtime/rl/advantage.h"
#include "runtime/rl/environment.h"
#include "runtime/rollout/engine.h"

#include <functional>

namespace nibble {

struct Collected {
  std::vector<Group> kept;    // at most config.rl.promptsPerStep
  std::vector<Group> dropped; // dropped by the filter
  int64_t rounds = 0;
  uint64_t nextProblem = 0;
  double rolloutSeconds = 0, rewardSeconds = 0; // wall-clock time
  int64_t sampledTokens = 0;
  // Why the first response without a reward has none; empty when all have one.
  std::string rewardProblem;
};

// Generates groups for the problems nextProblem, nextProblem + 1, ... of the
// training split. It stops when enough groups are kept or
// config.rl.maxSamplingRounds is reached. Samples are numbered by problem
// within the step, so a sample's content does not depend on the rounds.
Result<Collected> collectGroups(const Config &config,
                                const Environment &environment,
                                RolloutEngine &rollout, int64_t step,
                                uint64_t nextProblem, uint64_t weightVersion,
                                const std::function<bool()> &stop);

} // namespace nibble
