// Ends a tool that contains LLVM when memory runs out during compilation or
// LLVM gives up.
#pragma once

#include "runtime/core/status.h"

#include "llvm/Support/ErrorHandling.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace nibble {

// LLVM returns no status, so this prints one line and exits with the code. No
// destructor may run, because other threads may be running.
inline void installCompilerHandlers(const std::string &tool) {
  static std::string name;
  name = tool;
  llvm::install_bad_alloc_error_handler([](void *, const char *reason, bool) {
    fmt::print(stderr,
               "{}: no memory to compile ({}); use a machine with more\n", name,
               reason);
    std::_Exit(static_cast<int>(Code::kEnvironment));
  });
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    fmt::print(stderr,
               "{}: code generation failed, a defect of this compiler: LLVM: "
               "{}; report it with the module\n",
               name,
               std::string_view(reason).substr(
                   0, std::string_view(reason).find('\n')));
    std::_Exit(static_cast<int>(Code::kFailed));
  });
}

} // namespace nibble
