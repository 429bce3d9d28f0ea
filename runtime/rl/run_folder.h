// The folder of a run: lock, checkpoints, metrics.
//
//   lock, checkpoints/, metrics.jsonl and timings.jsonl
//   (runtime/report/metrics.h)
//
// Resuming cuts both files to the steps that the checkpoint knows: what was
// done after it is done again, with the same bits. A folder that this made and
// that no run began in (its program did not compile, its weights hold a NaN)
// goes again.
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
    std::string
        kind; // "rl" or "sft": a checkpoint of one does not start the other
    int64_t keepCheckpoints = 2;
    bool resume = false; // go on from the newest checkpoint, if there is one
  };
  // Environment error when another process works in the folder or it cannot be
  // written; usage error when it holds a run and `resume` is false, or a run of
  // another configuration, with every key that differs, its old and its new
  // value.
  static Result<RunFolder> open(const Options &options);
  RunFolder(RunFolder &&) = default;
  RunFolder &operator=(RunFolder &&) = default;
  ~RunFolder();

  // Steps done by the checkpoint that was found; 0 when there is none.
  int64_t startStep() const { return checkpoint_ ? checkpoint_->step : 0; }
  // What the loop saved with it; null when there is none.
  const Json &state() const;
  // Fills the store from the checkpoint; does nothing when there is none.
  Status restore(ParameterStore &store) const;
  // Lines about damaged checkpoints that were passed over.
  const std::vector<std::string> &warnings() const { return warnings_; }

  // The line that metrics.jsonl and timings.jsonl have of a step; nullopt when
  // there is none. Bad input when one of the files is not as a run writes it.
  Result<std::optional<StepMetrics>> recorded(int64_t step) const;

  // Call once, before the first record: lines of `firstStep` and later are cut
  // off.
  Status beginMetrics(int64_t firstStep);
  // On the disk when it returns.
  Status record(const StepMetrics &line) { return metrics_->write(line); }

  // After `step` steps. Does nothing when that step was saved last.
  Status save(int64_t step, Json state, const ParameterStore &store);

private:
  RunFolder(Options options, FolderLock lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}
  std::filesystem::path checkpoints() const {
    return options_.folder / "checkpoints";
  }

  Options options_;
  // The folder, to remove in the end; null once a run began in it.
  std::unique_ptr<std::filesystem::path> unused_;
  FolderLock lock_;
  std::optional<MetricsWriter> metrics_;
  std::optional<TrainCheckpoint> checkpoint_;
  std::vector<std::string> warnings_;
  int64_t lastSaved_ = -1;
};

} // namespace nibble
