// What a run's configuration decides in its compiled programs: written into a
// bundle that is compiled for a run, and compared when a run begins on it. A
// bundle does not say it otherwise: constants of an objective are numbers in
// its code.
#pragma once

#include "runtime/rl/config/config.h"

#include <string_view>

namespace nibble {

// `program`: train or rollout. Supervised training has no objective but its
// own.
Json programProperties(const Config &config, bool supervised,
                       std::string_view program);

// Usage error naming the first thing that differs, and where ("bundle
// train.nbl").
Status checkProperties(const Json &found, const Json &wanted,
                       const std::string &where);

} // namespace nibble
