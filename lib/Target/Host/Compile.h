// Compiles a module of tensors to an object file, and links that into this
// process as a nibble_program (ABI.h).
#pragma once

#include "include/nibble/ABI.h"
#include "lib/Target/Host/Machine.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <string>
#include <vector>

namespace nibble::host {

struct CompileOptions {
  std::string cpu = "host"; // see describeCpu
  bool dumpLLVM = false;    // prints the optimized LLVM IR to standard error
  bool profile = false; // times each kernel; see runtime/core/program/profile.h
};

// Code that can be linked into a shared library, or into this process.
struct ObjectFile {
  std::string bytes; // ELF, position-independent; exports `nibble_program`
  std::string cpu;   // LLVM's name
  std::vector<std::string> features; // that the code may use, LLVM's names
};

// Code in memory. The program's table and functions live as long as this does.
class CompiledProgram {
public:
  virtual ~CompiledProgram() = default;
  virtual const nibble_program &table() const = 0;
};

// Lowers `module`, which is changed on the way, and compiles it. Every public
// function becomes a function of the program. Its arguments are named by
// nn.input, nn.parameter or nn.state, its results by nn.output. On failure
// diagnostics say what was wrong.
mlir::FailureOr<ObjectFile> compileToObject(mlir::ModuleOp module,
                                            const CompileOptions &options);

// Links the code into this process. Reports, at calls in `module`, functions
// that neither the runtime nor the C library has.
mlir::FailureOr<std::shared_ptr<CompiledProgram>>
load(mlir::ModuleOp module, const ObjectFile &object);

// The two above, one after the other.
mlir::FailureOr<std::shared_ptr<CompiledProgram>>
compile(mlir::ModuleOp module, const CompileOptions &options);

} // namespace nibble::host
