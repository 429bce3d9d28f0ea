// The common part of the kernels that write new keys and values into the cache.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

// Sets the bytes that a write of new keys and values touches (LaunchSpec).
// These are the slots of `tokens` tokens in `caches`, `elements` bf16 each, and
// the entries of `sequences` and `pages` that locate them.
void countCacheWrite(Kernel &k, LaunchSpec &spec, mlir::Value tokens,
                     int64_t elements, llvm::ArrayRef<mlir::Value> caches,
                     mlir::Value sequences, mlir::Value pages);

} // namespace nibble::device
