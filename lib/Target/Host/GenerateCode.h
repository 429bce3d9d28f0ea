// Translates a module of tensors to optimized LLVM IR for one CPU.
#pragma once

#include "lib/Target/Host/Compile.h"
#include "lib/Target/Host/Interface.h"
#include "lib/Target/Host/Machine.h"

#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

#include <memory>
#include <string>

namespace nibble::host {

struct Code {
  Cpu cpu;
  Interface interface;
  std::unique_ptr<llvm::LLVMContext> context; // outlives the module
  // What LLVM's backend reports about the module; see FirstError.h.
  std::shared_ptr<std::string> refused;
  std::unique_ptr<llvm::Module> module;
  llvm::orc::JITTargetMachineBuilder target{
      llvm::Triple(llvm::sys::getProcessTriple())};
  std::unique_ptr<llvm::TargetMachine> machine;
};

// Lowers `module`, which is changed on the way. The code is
// position-independent and holds the table `nibble_program`. On failure
// diagnostics say what was wrong.
mlir::FailureOr<Code> generate(mlir::ModuleOp module,
                               const CompileOptions &options);

// The symbol of the C function through which the runtime enters the function
// `name`.
std::string entrySymbol(llvm::StringRef name);

mlir::LogicalResult report(mlir::ModuleOp module, llvm::Error error);
// Call after the backend has run. Succeeds when `refused` is empty.
mlir::LogicalResult reportRefusal(mlir::ModuleOp module,
                                  const std::string &refused);

} // namespace nibble::host
