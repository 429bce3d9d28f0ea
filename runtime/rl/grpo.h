// Reinforcement learning with group-relative advantages: sample, score,
// compare, update.
#pragma once

#include "runtime/rl/collect.h"
#include "runtime/rl/loop.h"

namespace nibble {

class GrpoLoop : public Loop {
public:
  // Usage error when the parts do not do what the configuration asks for.
  static Result<std::unique_ptr<GrpoLoop>>
  create(const Config &config, const LoopParts &parts, LoopCallbacks callbacks);

protected:
  Status takeStep(StepMetrics &line, std::string &noUpdate) override;
  double goal() const override { return config().rl.untilReward; }

private:
  using Loop::Loop;
  Status compareUntrained(const Collected &collected, Mismatch &mismatch);
  Status update(std::span<const Group> groups, Mismatch *mismatch,
                struct UpdateTotals &totals);

  bool toldOfFailures_ =
      false; // of rewards: one line of a run says why, the metrics how many
};

} // namespace nibble
