// The work of every training loop around its step: evaluation, metrics,
// checkpoints, orderly stops and resuming.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rl/environment.h"
#include "runtime/rl/run_folder.h"
#include "runtime/rollout/engine.h"
#include "runtime/train/trainer.h"

#include <chrono>
#include <functional>

namespace nibble {

// All members are borrowed and must outlive the loop. The rollout reads the
// weights that the trainer writes.
struct LoopParts {
  Trainer *trainer = nullptr;
  ParameterStore *store = nullptr;
  // Optional in a supervised loop, which then evaluates nothing.
  RolloutEngine *rollout = nullptr;
  // Initial weights, for objectives that take reference_logp.
  LogProbability *reference = nullptr;
  Environment environment;
};

struct LoopCallbacks {
  // Called after every step with its lines of metrics.jsonl and timings.jsonl
  // together.
  std::function<void(const StepMetrics &line)> progress;
  // Receives lines that the user should see.
  std::function<void(const std::string &)> warn;
  // Called between calls of programs. When it returns true, the loop saves and
  // returns an interrupted status.
  std::function<bool()> stop;
};

// Measures seconds since the last lap or since construction.
class StopWatch {
public:
  double lap() {
    auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now))
        .count();
  }

private:
  std::chrono::steady_clock::time_point last_ =
      std::chrono::steady_clock::now();
};

class Loop {
public:
  Loop(const Config &config, const LoopParts &parts, LoopCallbacks callbacks,
       int64_t steps, const char *kind);
  virtual ~Loop() = default;

  // Runs from the start, or from the checkpoint in the folder. Everything
  // except timings.jsonl is a function of configuration and seed. Interrupted
  // after a stop: the state is saved, and resuming arrives at the same bits.
  //
  // Failed when config.train.maxStepsWithoutUpdate consecutive steps updated no
  // weight. Also failed when no step updated any weight and no goal ended the
  // run. The state is saved in both cases, and the message has the reason.
  Status run(RunFolder &folder);
  // Opens config.run.out and runs in it.
  Status run(bool resume);
  // Whether the run has ended in good order, with or without learning. Its
  // weights are then the result.
  bool hasEnded() const { return hasEnded_; }
  // Whether any step has updated the weights.
  bool hasLearned() const { return learnedSteps_ > 0; }

protected:
  // Takes one step and fills its line. Only the values of isTiming may depend
  // on the machine. `noUpdate` gets the reason, for the user, when no weight
  // was updated, and stays empty otherwise. On interruption nothing of the step
  // may have happened.
  virtual Status takeStep(StepMetrics &line, std::string &noUpdate) = 0;
  // The held-out reward that ends the run before its last step; 0 disables it.
  virtual double goal() const = 0;

  // Number of problems of the training split used so far.
  uint64_t nextProblem_ = 0;
  const Config &config() const { return config_; }
  const LoopParts &parts() const { return parts_; }
  bool stopRequested() const { return callbacks_.stop && callbacks_.stop(); }
  const std::function<bool()> &stop() const { return callbacks_.stop; }
  void warn(const std::string &line) const {
    if (callbacks_.warn)
      callbacks_.warn(line);
  }
  // Warns about responses without a reward, but only once (`told`). The metrics
  // count them all.
  void warnOfRewards(int64_t step, double failed, double responses,
                     const std::string &firstProblem, const char *consequence,
                     bool &told) const;

private:
  Status runSteps(RunFolder &folder);
  StepMetrics beginLine() const;
  void addMemory(StepMetrics &line) const;
  bool isGoalReached(const StepMetrics &line) const;
  Status evaluateInto(StepMetrics &line);
  // Failed when the number of steps without an update has reached its limit.
  // The run is then saved.
  Status countStep(RunFolder &folder, std::string noUpdate);
  Status save(RunFolder &folder, int64_t step);
  Status report(RunFolder &folder, const StepMetrics &line);

  Config config_;
  LoopParts parts_;
  LoopCallbacks callbacks_;
  int64_t steps_;
  const char *kind_;
  int64_t step_ = 0; // number of steps done
  // Whether the line after the last step is written.
  bool evaluatedAtEnd_ = false;
  bool hasEnded_ = false;
  int64_t learnedSteps_ = 0; // number of steps that updated the weights
  // Number of steps without an update since the last one with an update.
  int64_t idleSteps_ = 0;
  std::string noUpdate_; // reason for the last step without an update
  // Whether the user was told of responses without a reward.
  bool toldOfEvaluation_ = false;
};

// Whether the update of a step could move a weight: its gradient, scale and
// learning rate are not 0 in float32.
bool movesWeights(const StepResult &result);

// The optimizer's options for a run of `updates` updates.
OptimizerOptions optimizerFor(const Config &config, int64_t updates);

} // namespace nibble
