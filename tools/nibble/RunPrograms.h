// The programs that a run's configuration asks for.
#pragma once

#include "lib/Driver/ModelCompiler.h"
#include "runtime/rl/config/config.h"

namespace nibble {

// Recipes, objective, element type. The residence is the caller's.
ProgramOptions programOptions(const Config &config, bool supervised);

} // namespace nibble
