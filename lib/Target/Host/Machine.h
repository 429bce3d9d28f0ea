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

// `name` is "host" for the machine this runs on, or a name that LLVM knows
// ("haswell" for plain AVX2). Features that change bits (bf16 conversion
// instructions treat subnormals as zero) are always off.
Cpu describeCpu(llvm::StringRef name = "host");

// The CPU that `module` says it is for (kernel.target); when it says none, the
// one called `name`, which is put on it. Reports an error when the module is
// for a GPU.
mlir::FailureOr<Cpu> setTarget(mlir::ModuleOp module, llvm::StringRef name);

} // namespace nibble::host
