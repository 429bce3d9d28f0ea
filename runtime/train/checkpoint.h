// Checkpoints that survive a crash at any moment.
//
//   <folder>/step-000123/   weights.safetensors, optimizer.safetensors,
//                           state.json, manifest.json
//   <folder>/latest         link to the newest
//
// A checkpoint is written as step-000123.tmp.<process>. Every file is synced;
// manifest.json, with size and XXH3 of each file, comes last. Then the folder
// is renamed. A folder with the final name was therefore complete, and the
// manifest reveals later damage. The caller holds the lock of the run
// (runtime/core/file.h), so no two processes write into one folder.
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
  Json state; // the state that was passed to save
};

// Saves every tensor of the store except gradients. Keeps the `keep` newest
// checkpoints (at least 1). Older ones are removed only after the new one was
// read back and verified. An existing checkpoint of this step that verifies is
// kept. Environment error when it cannot be written; it then leaves nothing
// behind, and older ones are unchanged.
Status saveCheckpoint(const std::filesystem::path &folder, int64_t step,
                      const Json &state, const ParameterStore &store,
                      int64_t keep);

// The newest checkpoint that verifies, if any. Damaged ones are skipped, each
// with a line in `warnings`.
Result<std::optional<TrainCheckpoint>>
newestCheckpoint(const std::filesystem::path &folder,
                 std::vector<std::string> &warnings);

// Fills the store's tensors. Bad input when one is missing or has another
// shape, because the checkpoint belongs to another model.
Status loadCheckpoint(const TrainCheckpoint &checkpoint, ParameterStore &store);

// Checks that every file agrees with the manifest. Bad input naming file and
// reason.
Status verifyCheckpoint(const std::filesystem::path &checkpoint);

// Removes the remains of crashed processes: half-written folders. It also
// removes checkpoints beyond `keep` when the newest one verifies.
Status tidyCheckpoints(const std::filesystem::path &folder, int64_t keep);

} // namespace nibble
