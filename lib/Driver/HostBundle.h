// Writes compiled host programs as bundles (runtime/bundle/bundle.h).
#pragma once

#include "lib/Driver/Session.h"

#include <string>

namespace nibble {

// Compiles the module, which is consumed, to a shared library and writes the
// bundle. `properties` are those of writeBundle. Fails with an environment
// error when there is no linker (ld.lld) or the file cannot be written.
Status writeHostBundle(Session &session, mlir::ModuleOp module,
                       const HostOptions &options, const std::string &path,
                       const std::string &properties = "");

} // namespace nibble
