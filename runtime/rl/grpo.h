// Reinforcement learning with group-relative advantages: samples, scores,
// compares and updates.
#pragma once

#include "runtime/rl/collect.h"
#include "runtime/rl/loop.h"

namespace nibble {

class GrpoLoop : public Loop {
public:
  // Usage error when the parts cannot do what the configuration asks for.
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

  // Failures of rewards: one line of the run gives the reason, the metrics give
  // the number.
  bool toldOfFailures_ = false;
};

} // namespace nibble
