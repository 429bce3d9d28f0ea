// The facts that a run's results depend on. A continued run must share them
// with the run that began.
#pragma once

#include "runtime/rl/config/config.h"

#include <string>
#include <vector>

namespace nibble {

// Stored with every checkpoint.
struct RunIdentity {
  // Every key of the configuration that affects the results, by section and
  // key. These keys do not:
  //   - where a run ends: steps (unless the learning rate decays to the last
  //     one), until_reward, max_steps_without_update
  //   - folders and cadence of output, threads, workers, time limits
  //   - quantize.strict, sizes of calls and of the cache (but train.max_tokens
  //     counts on a device), sections of the other loop
  //   - the place of a dataset's rows, since the loop compares their content
  Json config = Json::object();
  // Hashes of the named contents, by "section.key", so that a file may move.
  // Null or absent for anything that is no file.
  Json contents = Json::object();
  // The hash in old checkpoints, which do not contain the keys.
  std::string legacyHash;
};

// Computes the identity. It hashes the model's files, the objective, and the
// files among the words of the reward command.
RunIdentity identityOf(const Config &config, bool supervised);

// One text for each key whose value differs: "rl.clip_low was 0.2, is 0.1".
// Paths with equal content do not differ. A key that is new since the run began
// had its default value then. The model and the objective also differ when
// their content was replaced at an unchanged path:
//
//   model.path: the content of "a/b" has changed since the run began (put back
//   what it was)
std::vector<std::string> differences(const RunIdentity &began,
                                     const RunIdentity &now);

} // namespace nibble
