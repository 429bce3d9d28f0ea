// Assembles PTX to machine code with ptxas, if it is installed, and reads what
// ptxas reports about each kernel.
#pragma once

#include "runtime/core/status.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <string>

namespace nibble::nvptx {

// What ptxas -v reports about a kernel: registers and spills of a thread,
// static shared memory of a block.
struct KernelResources {
  int64_t registers = 0, stackBytes = 0, spillStoreBytes = 0,
          spillLoadBytes = 0, sharedBytes = 0;
};

struct Assembly {
  std::string cubin;
  std::map<std::string, KernelResources> kernels; // by name
  std::string warnings; // its lines; empty when there are none
};

// Path of ptxas: $NIBBLE_PTXAS, else one in PATH, else one below $CUDA_HOME or
// /usr/local/cuda. Empty when none is found or the variable is "none".
// Environment error when the variable names no program.
Result<std::string> findPtxas();

// Environment error when ptxas does not run, is killed, or is too old for the
// text. Failed, with its first line of output, when it rejects the PTX that we
// generated.
Status assemble(const std::string &ptxas, llvm::StringRef ptx,
                llvm::StringRef target, Assembly &out);

} // namespace nibble::nvptx
