// PTX to machine code by ptxas, where it is installed: ahead of time, and for
// what it says of each kernel.
#pragma once

#include "runtime/core/status.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <string>

namespace nibble::nvptx {

// What ptxas -v says of a kernel: of a thread, and static shared memory of a
// block.
struct KernelResources {
  int64_t registers = 0, stackBytes = 0, spillStoreBytes = 0,
          spillLoadBytes = 0, sharedBytes = 0;
};

struct Assembly {
  std::string cubin;
  std::map<std::string, KernelResources> kernels; // by name
  std::string warnings; // lines of it, empty when it had nothing to say
};

// Path of ptxas: $NIBBLE_PTXAS, else one in PATH, else one below $CUDA_HOME or
// /usr/local/cuda; empty when there is none, or when the variable is "none".
// Environment error when it names no program.
Result<std::string> findPtxas();

// Environment error when ptxas does not run, is killed, or is too old for the
// text; failed, with the first line that it says, when it refuses what we
// wrote.
Status assemble(const std::string &ptxas, llvm::StringRef ptx,
                llvm::StringRef target, Assembly &out);

} // namespace nibble::nvptx
