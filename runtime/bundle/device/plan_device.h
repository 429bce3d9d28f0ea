// A device for planning (`--dry-run`). It has addresses but no memory, and it
// loads and runs nothing, so it needs no driver. It serves to compute the
// memory that a program would take.
#pragma once

#include "runtime/drivers/device.h"

namespace nibble {

// Stands in for the device of that name (see openDevice) and reports its
// memory. When this machine has no such device, it reports an H200's memory,
// and its description says why. Usage error for an unknown setting in the
// environment.
Result<std::shared_ptr<Device>> openPlanDevice(std::string_view name);

} // namespace nibble
