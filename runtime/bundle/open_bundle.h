// A bundle as a program that runs, wherever it was compiled for.
#pragma once

#include "runtime/bundle/bundle.h"
#include "runtime/bundle/device/device_backend.h"
#include "runtime/core/program/program.h"

#include <memory>
#include <string>

namespace nibble {

struct OpenBundleOptions {
  std::string target; // host, simt or cuda; empty: the bundle's own. Kernels
                      // for cuda run on simt too
  std::shared_ptr<DeviceResidence>
      residence; // of the programs that share weights with it; null: a new one
};

// Errors as of readBundle, openDevice and Device::load; usage error when the
// bundle is not for that target.
Result<Program> openBundle(const std::string &path,
                           const OpenBundleOptions &options = {});
// The same of one that was read; `path` stands in messages.
Result<Program> openBundle(const Bundle &bundle, const std::string &path,
                           const OpenBundleOptions &options = {});

} // namespace nibble
