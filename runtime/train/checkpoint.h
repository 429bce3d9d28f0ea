// Checkpoints that survive a crash at any moment.
//
//   <folder>/step-000123/   weights.safetensors, optimizer.safetensors,
//   state.json, manifest.json <folder>/latest         link to the newest
//
// A checkpoint is written as step-000123.tmp.<process>, every file synced,
// manifest.json (size and XXH3 of each file) last, then renamed. So a folder of
// that name is complete, or it was damaged afterwards, which the manifest
// shows. Whoever calls this holds the lock of the run (runtime/core/file.h): no
// two processes write into one folder.
#pragma once

#include "runtime/formats/json.h"
#include "runtime/train/parameters.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

struct TrainCheckpoint {
  int64_t step = 0;
  std::filesystem::path path;
  Json state; // what save was given
};

// Saves every tensor of the store but gradients. Keeps the `keep` newest
// checkpoints (at least 1); older ones go only after the new one was read back
// and verified. A step that is there and verifies is left as it is. Environment
// error when it cannot be written: nothing of it is left, older ones are
// untouched.
Status saveCheckpoint(const std::filesystem::path &folder, int64_t step,
                      const Json &state, const ParameterStore &store,
                      int64_t keep);

// The newest checkpoint that verifies; none when there is none. Damaged ones
// are passed over, each with a line in `warnings`.
Result<std::optional<TrainCheckpoint>>
newestCheckpoint(const std::filesystem::path &folder,
                 std::vector<std::string> &warnings);

// Fills the store's tensors. Bad input when one is missing or of another shape:
// the checkpoint of another model.
Status loadCheckpoint(const TrainCheckpoint &checkpoint, ParameterStore &store);

// Whether every file is as the manifest says; bad input naming file and reason.
Status verifyCheckpoint(const std::filesystem::path &checkpoint);

// Removes what crashed processes left: half-written folders and, when the
// newest checkpoint verifies, those beyond `keep`.
Status tidyCheckpoints(const std::filesystem::path &folder, int64_t keep);

} // namespace nibble
