// Compiles a program to an object file, which is linked into a shared library.
#pragma once

#include "lib/Target/Host/Compile.h"

#include <string>
#include <vector>

namespace nibble::host {

struct ObjectFile {
  std::string bytes; // ELF, position-independent; exports `nibble_program`
  std::string cpu;   // LLVM's name
  // Features that the code may use, by LLVM's names.
  std::vector<std::string> features;
};

// As `compile`, but to an object file.
mlir::FailureOr<ObjectFile> compileToObject(mlir::ModuleOp module,
                                            const CompileOptions &options);

} // namespace nibble::host
