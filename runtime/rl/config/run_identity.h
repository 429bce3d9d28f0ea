// What the results of a run depend on: what a run that goes on must share with
// the one that began.
#pragma once

#include "runtime/rl/config/config.h"

#include <string>
#include <vector>

namespace nibble {

// Kept with every checkpoint.
struct RunIdentity {
  // Every key of the configuration that counts, by section and key. Not among
  // them: where a run ends (steps, unless the learning rate decays to the last
  // one; until_reward; max_steps_without_update), folders and cadence of
  // output, threads, workers, time limits, quantize.strict, sizes of calls and
  // of the cache (train.max_tokens counts on a device), sections of the other
  // loop, and where the rows of a dataset stand: the loop compares the rows
  // themselves.
  Json config = Json::object();
  // By "section.key": the hash of what a path names, so that a file may move.
  // Null, or absent, for what is no file.
  Json contents = Json::object();
  // What checkpoints held before they held the keys.
  std::string legacyHash;
};

// Reads the model's files, the objective and the files among the words of the
// reward command, for their hashes.
RunIdentity identityOf(const Config &config, bool supervised);

// One text for each key whose value differs: "rl.clip_low was 0.2, is 0.1".
// Paths of the same content do not differ. The model and the objective differ
// where their content was replaced at an unchanged path: "model.path: the
// content of "a/b" has changed since the run began (put back what it was)". A
// key that is new since the run began had its default value then.
std::vector<std::string> differences(const RunIdentity &began,
                                     const RunIdentity &now);

} // namespace nibble
