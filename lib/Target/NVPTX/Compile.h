// From a module of tensors to a program for an H200: PTX, and the commands that launch it (runtime/bundle).
#pragma once

#include "runtime/bundle/device_program.h"

#include "mlir/IR/BuiltinOps.h"

namespace nibble::nvptx {

// Lowers `module` (changed on the way). Every public function becomes a function of the program; its arguments are named
// by nn.input, nn.parameter or nn.state, its results by nn.output. On failure the diagnostics say what was wrong.
mlir::FailureOr<DeviceProgram> compile(mlir::ModuleOp module);

// The two halves: commands of the functions of a module whose kernels were written, and the PTX of its kernels.
mlir::FailureOr<DeviceProgram> translateCommands(mlir::ModuleOp module);
mlir::FailureOr<std::string> translateKernels(mlir::ModuleOp module);

} // namespace nibble::nvptx
