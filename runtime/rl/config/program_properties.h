// The choices of a run's configuration that are compiled into its programs. A
// bundle records them, and a run that uses the bundle compares them. Nothing
// else in a bundle states them: constants of an objective are numbers in its
// code.
#pragma once

#include "runtime/rl/config/config.h"

#include <string_view>

namespace nibble {

// `program` is train or rollout. Supervised training has only its own
// objective.
Json programProperties(const Config &config, bool supervised,
                       std::string_view program);

// Usage error naming the first difference, and the bundle `where` ("bundle
// train.nbl").
Status checkProperties(const Json &found, const Json &wanted,
                       const std::string &where);

} // namespace nibble
