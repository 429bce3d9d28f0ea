// The commands sft and rl. Their programs come from a compiler (nibble) or from
// bundles (nibble-train).
#pragma once

#include "runtime/rl/run/training_run.h"

namespace CLI {
class App;
}

namespace nibble {

// Adds both commands. `status` receives the result of the one that ran.
void addTraining(CLI::App &app, Status &status, const ProgramSource &programs);

} // namespace nibble
