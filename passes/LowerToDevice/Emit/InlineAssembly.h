// PTX instructions that the nvvm dialect does not name, as LLVM inline
// assembly.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// An instruction without a result; it may not be moved or removed, nor memory
// accesses across it. Operands are $0, $1, ...
void emitEffect(Emitter &b, llvm::StringRef code,
                llvm::ArrayRef<mlir::Value> operands);
// A function of its operands, which are $1, $2, ...; the result is $0. One that
// reads memory stays where it is.
mlir::Value emitValue(Emitter &b, llvm::StringRef code, mlir::Type result,
                      llvm::ArrayRef<mlir::Value> operands,
                      bool readsMemory = false);
// Float32 vectors that are read and written in place: $0 .. are all their
// elements, one after the other, then `operands`. May not be moved or removed,
// nor memory accesses across it. Returns the vectors.
llvm::SmallVector<mlir::Value>
emitInPlace(Emitter &b, llvm::StringRef code, mlir::ValueRange vectors,
            llvm::ArrayRef<mlir::Value> operands);

// Until the phase of that parity of an mbarrier has ended; `ofCluster`: what
// other blocks wrote before is then seen as well.
void waitParity(Emitter &b, mlir::Value barrier, mlir::Value parity,
                bool ofCluster = false);
// Until every kernel before this one in the queue has ended; of one that may
// begin early (LaunchSpec::fetchesEarly).
void waitForKernelBefore(Emitter &b);
// The next kernel may begin as soon as every block has come here; it waits
// itself for what it needs.
void letNextKernelBegin(Emitter &b);

} // namespace nibble::device
