// Runs one kernel over a grid.
#pragma once

#include "runtime/drivers/simt/machine.h"

namespace nibble::simt {

// Usage error when the launch's shape does not fit the kernel. Errors of the
// kernel itself are kFailed.
Status runLaunch(LaunchState &state);

} // namespace nibble::simt
