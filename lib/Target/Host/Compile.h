// Compiles a module of tensors to code in memory, as a nibble_program (ABI.h).
#pragma once

#include "include/nibble/ABI.h"
#include "lib/Target/Host/Machine.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <string>

namespace nibble::host {

struct CompileOptions {
  std::string cpu = "host"; // see describeCpu
  bool dumpLLVM = false;    // prints the optimized LLVM IR to standard error
  bool profile = false; // times each kernel; see runtime/core/program/profile.h
};

// Code in memory. The program's table and functions live as long as this does.
class CompiledProgram {
public:
  virtual ~CompiledProgram() = default;
  virtual const nibble_program &table() const = 0;
  // Address of a symbol of the generated code; null when there is none.
  virtual void *symbol(llvm::StringRef name) const = 0;
};

// Lowers `module`, which is changed on the way, and compiles it. Every public
// function becomes a function of the program. Its arguments are named by
// nn.input, nn.parameter or nn.state, its results by nn.output. On failure
// diagnostics say what was wrong.
mlir::FailureOr<std::shared_ptr<CompiledProgram>>
compile(mlir::ModuleOp module, const CompileOptions &options);

} // namespace nibble::host
