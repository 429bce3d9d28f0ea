// The commands sft and rl, apart from where their programs come from: a
// compiler (nibble) or bundles (nibble-train).
#pragma once

#include "runtime/core/program.h"
#include "runtime/rl/config/config.h"
#include "runtime/train/model.h"

#include <functional>

namespace CLI {
class App;
}

namespace nibble {

struct TrainingPrograms {
  Program training, rollout; // of one residence
};

// What the command line adds to a configuration.
struct ProgramRequest {
  const Config &config;
  const ModelConfig &model;
  bool supervised = false;
  bool hoist = true;     // quantize in the update instead of in every forward
  bool planOnly = false; // nothing will run: no device is needed
};
using ProgramSource =
    std::function<Result<TrainingPrograms>(const ProgramRequest &)>;

// Adds both commands. `status` gets what became of the one that ran.
void addTraining(CLI::App &app, Status &status, const ProgramSource &programs);

} // namespace nibble
