// Compiles a module of tensors to a program for an H200: PTX, and the commands
// that launch it (runtime/bundle).
#pragma once

#include "lib/KnownTargets/gpu.h"
#include "runtime/bundle/device/device_program.h"

#include "mlir/IR/BuiltinOps.h"

namespace nibble::nvptx {

// The GPU of the module's target (kernel.target). A module without one gets an
// H200 as its target. Reports an error when the target is a CPU.
mlir::FailureOr<GpuTarget> setTarget(mlir::ModuleOp module);

// Lowers `module`, which is changed on the way, by the two functions below.
// Every public function becomes a function of the program. Its arguments are
// named by nn.input, nn.parameter or nn.state, its results by nn.output.
mlir::FailureOr<DeviceProgram> compile(mlir::ModuleOp module);

// Writes the kernels as gpu.func and the functions as commands; the program has
// no code yet. On failure diagnostics name the op that has no kernel or command
// on an H200. The input is at fault then, unless mlir::verify shows that the
// passes left the module invalid.
mlir::FailureOr<DeviceProgram> compileCommands(mlir::ModuleOp module);
// Translates those kernels to PTX and adds it to the program. A failure is a
// fault of the compiler, whatever the input.
mlir::LogicalResult compileKernels(mlir::ModuleOp module,
                                   DeviceProgram &program);

// The commands of the functions of a module whose kernels have been emitted,
// and the PTX of its kernels once they are llvm.func.
mlir::FailureOr<DeviceProgram> translateCommands(mlir::ModuleOp module);
mlir::FailureOr<std::string> translateKernels(mlir::ModuleOp module);

} // namespace nibble::nvptx
