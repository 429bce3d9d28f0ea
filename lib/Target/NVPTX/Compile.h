// From a module of tensors to a program for an H200: PTX, and the commands that
// launch it (runtime/bundle).
#pragma once

#include "lib/KnownTargets/gpu.h"
#include "runtime/bundle/device/device_program.h"

#include "mlir/IR/BuiltinOps.h"

namespace nibble::nvptx {

// The GPU that `module` says it is for (kernel.target); when it says none, an
// H200, which is put on it. Reports an error when the module is for a CPU.
mlir::FailureOr<GpuTarget> setTarget(mlir::ModuleOp module);

// Lowers `module` (changed on the way). Every public function becomes a
// function of the program; its arguments are named by nn.input, nn.parameter or
// nn.state, its results by nn.output. The two halves below, one after the
// other.
mlir::FailureOr<DeviceProgram> compile(mlir::ModuleOp module);

// Writes the kernels as gpu.func and the functions as commands; the program has
// no code yet. On failure the diagnostics say what an H200 has no kernel or
// command for: the module is at fault, unless the passes left it invalid, which
// mlir::verify tells.
mlir::FailureOr<DeviceProgram> compileCommands(mlir::ModuleOp module);
// The PTX of those kernels, into the program. Nothing of it depends on the
// input: a failure is ours.
mlir::LogicalResult compileKernels(mlir::ModuleOp module,
                                   DeviceProgram &program);

// The commands of the functions of a module whose kernels were written, and the
// PTX of its kernels once they are llvm.func.
mlir::FailureOr<DeviceProgram> translateCommands(mlir::ModuleOp module);
mlir::FailureOr<std::string> translateKernels(mlir::ModuleOp module);

} // namespace nibble::nvptx
