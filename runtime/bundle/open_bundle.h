// Opens a bundle for any target as a program that runs.
#pragma once

#include "runtime/bundle/bundle.h"
#include "runtime/bundle/device/device_backend.h"
#include "runtime/core/program/program.h"

#include <memory>
#include <string>

namespace nibble {

struct OpenBundleOptions {
  // Host, simt or cuda; empty means the bundle's own target. Kernels for cuda
  // also run on simt.
  std::string target;
  // Shared with the programs that use the same weights; null creates a new one.
  std::shared_ptr<DeviceResidence> residence;
};

// Errors are those of readBundle, openDevice and Device::load. Usage error when
// the bundle does not run on that target.
Result<Program> openBundle(const std::string &path,
                           const OpenBundleOptions &options = {});
// Opens a bundle that was read already. Messages name `path`.
Result<Program> openBundle(const Bundle &bundle, const std::string &path,
                           const OpenBundleOptions &options = {});

} // namespace nibble
