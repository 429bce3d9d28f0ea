// What a thread computes to draw a token: lib/Numerics/sampling.h, operation by
// operation, and sums of 64-bit integers.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// numerics::massOf: an i64. All others float32.
mlir::Value tokenMass(Emitter &b, mlir::Value logit, mlir::Value largest,
                      mlir::Value temperature);
// numerics::rankOf: an i64 of kRankBits bits. token: i32.
mlir::Value tokenRank(Emitter &b, mlir::Value logit, mlir::Value token);
// numerics::ceiling of a float64: an i64.
mlir::Value ceiling(Emitter &b, mlir::Value x);
// numerics::wantedMass and leastMass of a float64: i64.
mlir::Value wantedMass(Emitter &b, mlir::Value topP, mlir::Value left);
mlir::Value leastMass(Emitter &b, mlir::Value minP);
// numerics::logKeptMass of two i64: float32.
mlir::Value logKeptMass(Emitter &b, mlir::Value kept, mlir::Value all);
// The upper half of the product of two i64, unsigned.
mlir::Value mulHigh(Emitter &b, mlir::Value x, mlir::Value y);

// Sums of i64, of the warp (every lane gets it) and of a block (every thread;
// `scratch` shared, 8 bytes for each warp; `threads` a multiple of 32, at most
// 1024; all threads call it).
mlir::Value warpSumI64(Emitter &b, mlir::Value x);
mlir::Value blockSumI64(Emitter &b, mlir::Value x, mlir::Value scratch,
                        int64_t threads);
// The sum of the lanes up to and with this one.
mlir::Value warpScanI64(Emitter &b, mlir::Value x);

// Where an ascending sum passes a threshold. Lane l has entries l * n .. l * n
// + n - 1 of 32 * n, i64; `index` (i32) is the first entry at which the sum is
// above `threshold`, `before` (i64) the sum before it. 0 and 0 when the sum
// never is. Every lane of the warp gets both.
struct Passed {
  mlir::Value index, before;
};
Passed whereSumPasses(Emitter &b, llvm::ArrayRef<mlir::Value> entries,
                      mlir::Value threshold);

} // namespace nibble::device
