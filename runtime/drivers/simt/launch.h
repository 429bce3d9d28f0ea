// Running one kernel over a grid.
#pragma once

#include "runtime/drivers/simt/machine.h"

namespace nibble::simt {

// Usage error when the shape does not fit the kernel. What the kernel does
// wrong comes as kFailed.
Status runLaunch(LaunchState &state);

} // namespace nibble::simt
