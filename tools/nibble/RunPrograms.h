// The programs for a run's configuration.
#pragma once

#include "lib/Driver/ModelCompiler.h"
#include "runtime/rl/config/config.h"

namespace nibble {

// Compiler options from the configuration: recipes, objective, element type.
// The caller sets the residence.
ProgramOptions programOptions(const Config &config, bool supervised);

} // namespace nibble
