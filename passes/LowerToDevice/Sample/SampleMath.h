// The arithmetic of a thread that draws tokens: lib/Numerics/sampling.h,
// operation by operation, and sums of 64-bit integers.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// numerics::massOf as an i64. The operands are float32.
mlir::Value tokenMass(Emitter &b, mlir::Value logit, mlir::Value largest,
                      mlir::Value temperature);
// numerics::rankOf as an i64 of kRankBits bits. `token` is an i32.
mlir::Value tokenRank(Emitter &b, mlir::Value logit, mlir::Value token);
// numerics::ceiling of a float64, as an i64.
mlir::Value ceiling(Emitter &b, mlir::Value x);
// numerics::wantedMass and leastMass of a float64, as i64.
mlir::Value wantedMass(Emitter &b, mlir::Value topP, mlir::Value left);
mlir::Value leastMass(Emitter &b, mlir::Value minP);
// numerics::logKeptMass of two i64, as a float32.
mlir::Value logKeptMass(Emitter &b, mlir::Value kept, mlir::Value all);
// The upper half of the product of two i64, unsigned.
mlir::Value mulHigh(Emitter &b, mlir::Value x, mlir::Value y);

// Sums of i64. The sum of a warp goes to every lane, the sum of a block to
// every thread. `scratch` is shared memory, 8 bytes per warp. `threads` is a
// multiple of 32, at most 1024. All threads must call it.
mlir::Value warpSumI64(Emitter &b, mlir::Value x);
mlir::Value blockSumI64(Emitter &b, mlir::Value x, mlir::Value scratch,
                        int64_t threads);
// The sum of the lanes up to and including this one.
mlir::Value warpScanI64(Emitter &b, mlir::Value x);

// Finds where an ascending sum exceeds a threshold. Lane l has entries l * n ..
// l * n + n - 1 of 32 * n, i64. `index` (i32) is the first entry at which the
// sum is above `threshold`, and `before` (i64) is the sum before it. Both are 0
// when the sum never exceeds it. Every lane of the warp gets both.
struct Passed {
  mlir::Value index, before;
};
Passed whereSumPasses(Emitter &b, llvm::ArrayRef<mlir::Value> entries,
                      mlir::Value threshold);

} // namespace nibble::device
