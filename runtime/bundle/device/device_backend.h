// A device program as a Program: what trainer, rollout and tools call without
// knowing where it runs.
#pragma once

#include "runtime/bundle/device/executor.h"
#include "runtime/core/program/program.h"

namespace nibble {

// Loads the kernels on the residence's device. Programs that share weights get
// the same residence. Errors as of Device::load.
Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence);
// The same with `executor` set, which lives as long as the program does.
Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence,
                                  DeviceExecutor *&executor);

} // namespace nibble
