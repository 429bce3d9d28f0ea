// The CPU that code is made for.
#pragma once

#include "passes/LowerToHost/Emit/Kernels.h"

#include <string>

namespace nibble::host {

struct Cpu {
  std::string name;     // LLVM's name: "sapphirerapids", "haswell"
  std::string features; // LLVM's feature string
  MachineModel machine;
};

// `name` is "host" for the machine this runs on, or a name that LLVM knows
// ("haswell" for plain AVX2). Features that change bits (bf16 conversion
// instructions treat subnormals as zero) are always off.
Cpu describeCpu(llvm::StringRef name = "host");

} // namespace nibble::host
