// The commands sft and rl, apart from where their programs come from: a
// compiler (nibble) or bundles (nibble-train).
#pragma once

#include "runtime/rl/run/training_run.h"

namespace CLI {
class App;
}

namespace nibble {

// Adds both commands. `status` gets what became of the one that ran.
void addTraining(CLI::App &app, Status &status, const ProgramSource &programs);

} // namespace nibble
