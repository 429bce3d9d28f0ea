// A device for planning: it has addresses but no memory, loads and runs
// nothing, and so needs no driver. What a program would take on it can be told
// (`--dry-run`).
#pragma once

#include "runtime/drivers/device.h"

namespace nibble {

// Stands for the device of that name (see openDevice) and says its memory.
// Where there is none here, for an H200's: its description then says why there
// is none. Usage error for an unknown setting in the environment.
Result<std::shared_ptr<Device>> openPlanDevice(std::string_view name);

} // namespace nibble
