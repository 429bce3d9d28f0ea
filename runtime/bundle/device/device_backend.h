// A device program as a Program, so that trainer, rollout and tools call it
// without knowing where it runs.
#pragma once

#include "runtime/bundle/device/executor.h"
#include "runtime/core/program/program.h"

namespace nibble {

// Loads the kernels on the residence's device. Programs that share weights must
// share the residence. Errors are those of Device::load.
Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence);
// Also sets `executor`, which lives as long as the program.
Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence,
                                  DeviceExecutor *&executor);

} // namespace nibble
