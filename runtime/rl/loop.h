// What every training loop does around its step: evaluation, metrics, checkpoints, stopping in good order, resuming.
#pragma once

#include "runtime/rl/config.h"
#include "runtime/rl/environment.h"
#include "runtime/rl/run_folder.h"
#include "runtime/rollout/engine.h"
#include "runtime/train/trainer.h"

#include <chrono>
#include <functional>

namespace nibble {

// Borrowed; all outlive the loop. The rollout reads the weights that the trainer writes.
struct LoopParts {
  Trainer *trainer = nullptr;
  ParameterStore *store = nullptr;
  RolloutEngine *rollout = nullptr;    // a supervised loop may do without: it then evaluates nothing
  LogProbability *reference = nullptr; // initial weights, for objectives that take reference_logp
  Environment environment;
};

struct LoopCallbacks {
  // After every step: its line of metrics.jsonl and timings.jsonl together.
  std::function<void(const StepMetrics &line)> progress;
  // A line that the user should see.
  std::function<void(const std::string &)> warn;
  // Asked between calls of programs; when it says true, the loop saves and returns an interrupted status.
  std::function<bool()> stop;
};

// Seconds since the last lap or construction.
class StopWatch {
public:
  double lap() {
    auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

class Loop {
public:
  Loop(const Config &config, const LoopParts &parts, LoopCallbacks callbacks, int64_t steps, const char *kind);
  virtual ~Loop() = default;

  // From the start, or from the checkpoint that the folder found. Everything but timings.jsonl is a function of
  // configuration and seed. Interrupted after a stop: saved, and resuming arrives at the same bits.
  Status run(RunFolder &folder);
  // In config.run.out, opened for it.
  Status run(bool resume);

protected:
  // One step; fills its line (what isTiming may depend on the machine, nothing else may). Interrupted: nothing of the
  // step may have happened.
  virtual Status takeStep(StepMetrics &line) = 0;
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

private:
  Status runSteps(RunFolder &folder);
  StepMetrics beginLine() const;
  bool isGoalReached(const StepMetrics &line) const;
  Status evaluateInto(StepMetrics &line);
  Status save(RunFolder &folder, int64_t step);
  Status report(RunFolder &folder, const StepMetrics &line);

  Config config_;
  LoopParts parts_;
  LoopCallbacks callbacks_;
  int64_t steps_;
  const char *kind_;
  int64_t step_ = 0;            // steps done
  bool evaluatedAtEnd_ = false; // the line after the last step is written
};

// The optimizer's options for a run of that many updates.
OptimizerOptions optimizerFor(const Config &config, int64_t updates);

} // namespace nibble
