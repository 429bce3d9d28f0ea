// Supervised training on a task's problems and their answers. It gives
// reinforcement learning a model to begin with.
#pragma once

#include "runtime/rl/advantage.h"
#include "runtime/rl/loop.h"

namespace nibble {

class SftLoop : public Loop {
public:
  static Result<std::unique_ptr<SftLoop>>
  create(const Config &config, const LoopParts &parts, LoopCallbacks callbacks);

protected:
  // Trains on prompt, answer and the first stop token. The loss is the mean
  // over the tokens of answers and stop tokens.
  Status takeStep(StepMetrics &line, std::string &noUpdate) override;
  double goal() const override { return config().sft.untilReward; }

private:
  using Loop::Loop;
};

} // namespace nibble
