// Programs as bundles (runtime/bundle/bundle.h).
#pragma once

#include "lib/Driver/Session.h"

#include <string>

namespace nibble {

// Compiles the module (consumed) to a library and writes the bundle.
// Environment error when there is no linker (ld.lld) or the file cannot be
// written. `properties` as of writeBundle.
Status writeHostBundle(Session &session, mlir::ModuleOp module,
                       const HostOptions &options, const std::string &path,
                       const std::string &properties = "");

} // namespace nibble
