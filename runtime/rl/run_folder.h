// The folder of a run: lock, checkpoints, metrics.
//
//   lock, checkpoints/, metrics.jsonl (a function of configuration and seed alone), timings.jsonl (what the clock said)
//
// A checkpoint remembers how long both files were, and resuming cuts them to that: what was done after it is done
// again, with the same bits.
#pragma once

#include "runtime/core/file.h"
#include "runtime/train/checkpoint.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

class RunFolder {
public:
  struct Options {
    std::filesystem::path folder;
    std::string configHash;
    std::string kind; // "rl" or "sft": a checkpoint of one does not start the other
    int64_t keepCheckpoints = 2;
    bool resume = false; // go on from the newest checkpoint, if there is one
  };
  // Environment error when another process works in the folder or it cannot be written; usage error when it holds a run
  // and `resume` is false, or a run of another configuration.
  static Result<RunFolder> open(const Options &options);

  // Steps done by the checkpoint that was found; 0 when there is none.
  int64_t startStep() const { return checkpoint_ ? checkpoint_->step : 0; }
  // What the loop saved with it; null when there is none.
  const Json &state() const;
  // Fills the store from the checkpoint; does nothing when there is none.
  Status restore(ParameterStore &store) const;
  // Lines about damaged checkpoints that were passed over.
  const std::vector<std::string> &warnings() const { return warnings_; }

  // One line each.
  Status recordMetrics(const Json &line) { return metrics_.write(line.dump() + "\n"); }
  Status recordTimings(const Json &line) { return timings_.write(line.dump() + "\n"); }

  // After `step` steps. Does nothing when that step was saved last.
  Status save(int64_t step, Json state, const ParameterStore &store);

private:
  RunFolder(Options options, FolderLock lock) : options_(std::move(options)), lock_(std::move(lock)) {}
  std::filesystem::path checkpoints() const { return options_.folder / "checkpoints"; }

  Options options_;
  FolderLock lock_;
  FileWriter metrics_, timings_;
  std::optional<Checkpoint> checkpoint_;
  std::vector<std::string> warnings_;
  int64_t lastSaved_ = -1;
};

} // namespace nibble
