// What every training loop does around its step: evaluation, metrics,
// checkpoints, stopping in good order, resuming.
#pragma once

#include "runtime/rl/config/config.h"
#include "runtime/rl/environment.h"
#include "runtime/rl/run_folder.h"
#include "runtime/rollout/engine.h"
#include "runtime/train/trainer.h"

#include <chrono>
#include <functional>

namespace nibble {

// Borrowed; all outlive the loop. The rollout reads the weights that the
// trainer writes.
struct LoopParts {
  Trainer *trainer = nullptr;
  ParameterStore *store = nullptr;
  RolloutEngine *rollout =
      nullptr; // a supervised loop may do without: it then evaluates nothing
  LogProbability *reference =
      nullptr; // initial weights, for objectives that take reference_logp
  Environment environment;
};

struct LoopCallbacks {
  // After every step: its line of metrics.jsonl and timings.jsonl together.
  std::function<void(const StepMetrics &line)> progress;
  // A line that the user should see.
  std::function<void(const std::string &)> warn;
  // Asked between calls of programs; when it says true, the loop saves and
  // returns an interrupted status.
  std::function<bool()> stop;
};

// Seconds since the last lap or construction.
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

  // From the start, or from the checkpoint that the folder found. Everything
  // but timings.jsonl is a function of configuration and seed. Interrupted
  // after a stop: saved, and resuming arrives at the same bits. Failed, saved
  // too and with the reason, when config.train.maxStepsWithoutUpdate steps one
  // after the other updated no weight, or none of all steps did and no goal
  // ended the run.
  Status run(RunFolder &folder);
  // In config.run.out, opened for it.
  Status run(bool resume);
  // Whether the run has come to its end in good order, learned or not: its
  // weights are the result.
  bool hasEnded() const { return hasEnded_; }
  // Whether any step has updated the weights.
  bool hasLearned() const { return learnedSteps_ > 0; }

protected:
  // One step; fills its line (what isTiming may depend on the machine, nothing
  // else may). `noUpdate` gets the reason when no weight was updated, in words
  // for the user, and stays empty otherwise. Interrupted: nothing of the step
  // may have happened.
  virtual Status takeStep(StepMetrics &line, std::string &noUpdate) = 0;
  // The held-out reward that ends the run before its last step; 0: none does.
  virtual double goal() const = 0;

  // Problems of the training split used so far.
  uint64_t nextProblem_ = 0;
  const Config &config() const { return config_; }
  const LoopParts &parts() const { return parts_; }
  bool stopRequested() const { return callbacks_.stop && callbacks_.stop(); }
  const std::function<bool()> &stop() const { return callbacks_.stop; }
  void warn(const std::string &line) const {
    if (callbacks_.warn)
      callbacks_.warn(line);
  }
  // Warns of responses without a reward, the first time that `told` is false;
  // the metrics count them all.
  void warnOfRewards(int64_t step, double failed, double responses,
                     const std::string &firstProblem, const char *consequence,
                     bool &told) const;

private:
  Status runSteps(RunFolder &folder);
  StepMetrics beginLine() const;
  void addMemory(StepMetrics &line) const;
  bool isGoalReached(const StepMetrics &line) const;
  Status evaluateInto(StepMetrics &line);
  // Failed when the steps without an update have reached their limit; the run
  // is saved then.
  Status countStep(RunFolder &folder, std::string noUpdate);
  Status save(RunFolder &folder, int64_t step);
  Status report(RunFolder &folder, const StepMetrics &line);

  Config config_;
  LoopParts parts_;
  LoopCallbacks callbacks_;
  int64_t steps_;
  const char *kind_;
  int64_t step_ = 0;            // steps done
  bool evaluatedAtEnd_ = false; // the line after the last step is written
  bool hasEnded_ = false;
  int64_t learnedSteps_ = 0; // steps that updated the weights
  int64_t idleSteps_ = 0;    // those without an update since the last one with
  std::string noUpdate_;     // why the last of those had none
  bool toldOfEvaluation_ = false; // that it has responses without a reward
};

// Whether the update of a step could move a weight: its gradient, scale and
// learning rate are not 0 in float32.
bool movesWeights(const StepResult &result);

// The optimizer's options for a run of that many updates.
OptimizerOptions optimizerFor(const Config &config, int64_t updates);

} // namespace nibble
