// The folder of a run: lock, checkpoints/, metrics.jsonl and timings.jsonl
// (runtime/report/metrics.h).
//
// Resuming cuts both .jsonl files to the steps of the checkpoint. Later steps
// are repeated with the same bits. A folder that was created here is removed
// again when no run began in it, for example when the program did not compile
// or a weight is NaN.
#pragma once

#include "runtime/core/file.h"
#include "runtime/report/metrics.h"
#include "runtime/rl/config/run_identity.h"
#include "runtime/train/checkpoint.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

class RunFolder {
public:
  struct Options {
    std::filesystem::path folder;
    RunIdentity identity;
    // "rl" or "sft"; a checkpoint of one kind cannot start the other.
    std::string kind;
    int64_t keepCheckpoints = 2;
    bool resume = false; // continue from the newest checkpoint, if there is one
  };
  // Opens the folder. Environment error when another process works in it or it
  // cannot be written. Usage error when it holds a run and `resume` is false.
  // Usage error when it holds a run of another configuration, with the old and
  // new value of every key that differs.
  static Result<RunFolder> open(const Options &options);
  RunFolder(RunFolder &&) = default;
  RunFolder &operator=(RunFolder &&) = default;
  ~RunFolder();

  // Number of steps done by the checkpoint that was found; 0 when there is
  // none.
  int64_t startStep() const { return checkpoint_ ? checkpoint_->step : 0; }
  // The state that the loop saved with it; null when there is no checkpoint.
  const Json &state() const;
  // Fills the store from the checkpoint. Does nothing when there is none.
  Status restore(ParameterStore &store) const;
  // Lines about damaged checkpoints that were skipped.
  const std::vector<std::string> &warnings() const { return warnings_; }

  // The recorded line of a step in metrics.jsonl and timings.jsonl; nullopt
  // when there is none. Bad input when one of the files does not have a run's
  // format.
  Result<std::optional<StepMetrics>> recorded(int64_t step) const;

  // Call once, before the first record. Cuts off lines of `firstStep` and
  // later.
  Status beginMetrics(int64_t firstStep);
  // Records a line, which is on disk when it returns.
  Status record(const StepMetrics &line) { return metrics_->write(line); }

  // Saves the state after `step` steps. Does nothing when that step was the
  // last one saved.
  Status save(int64_t step, Json state, const ParameterStore &store);

private:
  RunFolder(Options options, FolderLock lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  std::filesystem::path checkpoints() const {
    return options_.folder / "checkpoints";
  }

  Options options_;
  // The folder to remove at the end; null once a run has begun in it.
  std::unique_ptr<std::filesystem::path> unused_;
  FolderLock lock_;
  std::optional<MetricsWriter> metrics_;
  std::optional<TrainCheckpoint> checkpoint_;
  std::vector<std::string> warnings_;
  int64_t lastSaved_ = -1;
};

} // namespace nibble
