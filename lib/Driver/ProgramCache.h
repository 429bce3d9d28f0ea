// Compiled code that later processes of the same build take, instead of
// compiling it again.
#pragma once

#include "lib/Target/Host/Compile.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/core/status.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <string>

namespace nibble {

// A folder of bundles (runtime/bundle/bundle.h). The name of each is a hash of
// all that decides what is in it, so an entry is never out of date. It holds
// this name too; a file that holds another is compiled and written again.
// Nothing is removed: whoever made the folder may delete it or files in it at
// any time.
class ProgramCache {
public:
  // The folder that NIBBLE_PROGRAM_CACHE names; it is made when it is not
  // there. Without that variable nothing is found and nothing is kept.
  static ProgramCache fromEnvironment();

  // The name of what `module` compiles to. It is a hash of the module with its
  // locations, of `settings`, which hold what else decides the code, and of the
  // build IDs of this executable and its libraries. It is empty when there is
  // no folder, or when one of these files has no build ID.
  std::string key(mlir::ModuleOp module,
                  llvm::ArrayRef<std::string> settings) const;

  // Empty when there is no such entry, or it is damaged. `key` may be empty.
  std::optional<host::ObjectFile> findObject(const std::string &key) const;
  std::optional<DeviceProgram> findProgram(const std::string &key) const;

  // Keeps an entry, also for processes that run now. Environment error when the
  // folder cannot be written. Nothing is done for an empty `key`.
  Status keep(const std::string &key, const host::ObjectFile &object) const;
  Status keep(const std::string &key, const DeviceProgram &program) const;

private:
  explicit ProgramCache(std::string folder) : folder_(std::move(folder)) {}
  std::string pathOf(const std::string &key) const;

  std::string folder_;
};

} // namespace nibble
