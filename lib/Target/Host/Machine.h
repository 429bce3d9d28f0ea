// The CPU that code is made for.
#pragma once

#include "lib/KnownTargets/cpu.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace nibble::host {

struct Cpu {
  CpuTarget target;
  std::string features; // LLVM's feature string
};

// `name` is "host" for the machine that this runs on, or a name that LLVM knows
// ("haswell" for plain AVX2). Features that change results are always off: bf16
// conversion instructions treat subnormals as zero.
Cpu describeCpu(llvm::StringRef name = "host");

// Whether describeCpu takes the name: "host", or a 64-bit CPU that LLVM knows.
bool isCpu(llvm::StringRef name);

// The CPU of the module's target (kernel.target). A module without one gets the
// CPU called `name` as its target. Reports an error when the target is a GPU.
mlir::FailureOr<Cpu> setTarget(mlir::ModuleOp module, llvm::StringRef name);

} // namespace nibble::host
