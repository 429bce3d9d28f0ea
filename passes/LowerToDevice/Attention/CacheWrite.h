// What the kernels that write new keys and values into the cache share.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

// What a write of new keys and values touches (LaunchSpec): of the `caches` the
// slots of `tokens` tokens, of `elements` bf16 each, and where they are in
// `sequences` and `pages`.
void countCacheWrite(Kernel &k, LaunchSpec &spec, mlir::Value tokens,
                     int64_t elements, llvm::ArrayRef<mlir::Value> caches,
                     mlir::Value sequences, mlir::Value pages);

} // namespace nibble::device
