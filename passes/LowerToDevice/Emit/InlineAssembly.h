// PTX instructions that the nvvm dialect lacks, as LLVM inline assembly.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// An instruction without a result. It is not moved or removed, and memory
// accesses are not moved across it. Operands are $0, $1, ...
void emitEffect(Emitter &b, llvm::StringRef code,
                llvm::ArrayRef<mlir::Value> operands);
// A function of its operands, which are $1, $2, ...; the result is $0. One that
// reads memory is not moved.
mlir::Value emitValue(Emitter &b, llvm::StringRef code, mlir::Type result,
                      llvm::ArrayRef<mlir::Value> operands,
                      bool readsMemory = false);
// An instruction that updates float32 vectors in place and returns them. $0 and
// so on are all their elements in order, then `operands` follow. It is not
// moved or removed, and memory accesses are not moved across it.
llvm::SmallVector<mlir::Value>
emitInPlace(Emitter &b, llvm::StringRef code, mlir::ValueRange vectors,
            llvm::ArrayRef<mlir::Value> operands);

// Waits until the phase of that parity of an mbarrier has ended. With
// `ofCluster` earlier writes of other blocks are visible afterwards.
void waitParity(Emitter &b, mlir::Value barrier, mlir::Value parity,
                bool ofCluster = false);
// Waits until every earlier kernel of the queue has ended. For kernels that may
// begin early (LaunchSpec::fetchesEarly).
void waitForKernelBefore(Emitter &b);
// Lets the next kernel begin as soon as every block has come here. That kernel
// waits itself for what it needs.
void letNextKernelBegin(Emitter &b);

} // namespace nibble::device
