// The codes and scales of packed weights in shared memory, and the fragments of
// A that a thread makes of them.
#pragma once

#include "passes/LowerToHopper/Linear/MatrixKernel.h"

namespace nibble::hopper {

// Row of the thread's fragments in the 64 of its warpgroup; the others are 8
// below.
mlir::Value rowInGroup(Emitter &b);

// The fragments of one stage of a ring.
class SlabFragments {
public:
  // `slot`: where the stage is, `step`: its number from the beginning of the
  // row on, of which only the last bit counts; `group`: which of the two slabs.
  // All i32 but the pointer.
  SlabFragments(Emitter &b, const MatrixSpec &spec, mlir::Value slot,
                mlir::Value step, mlir::Value group);

  // Loads all scales now; returns whether those of the warp's rows are all
  // small: above 0 and below 2^-5.
  mlir::Value loadScales();
  // Step `s` of 16 k of the stage, vector<4xi32>; called with s ascending from
  // 0. `small`: all scales are small, for which fewer instructions give the
  // same bits (hopper.dequantize_small).
  mlir::Value fragment(int64_t s, bool small);

private:
  // Scale i of the upper row, then of the lower: its bf16's bits, and in both
  // halves of a register.
  mlir::Value scaleBits(int64_t i);
  mlir::Value scale(int64_t i);
  mlir::Value times(mlir::Value x, int64_t bits);

  Emitter &b;
  int64_t perRow; // scales of a row in the stage
  int64_t perSlabRow;
  mlir::Value codes, scales;
  llvm::SmallVector<mlir::Value>
      loaded; // of the upper row, then of the lower, each twice in a register
  mlir::Value words, low, high, minusLow, minusHigh;
};

// Whether all scales of `rows` rows of slabs' worth of bytes, [begin, begin +
// bytes), are small; the same for all consumers of the block, all of whom call
// this. `bytes` (i32): a multiple of 16. `flags`: 4 bytes of shared memory for
// each warp of consumers; `consumer`: the thread's number.
mlir::Value scalesAreSmall(Emitter &b, mlir::Value begin, mlir::Value bytes,
                           mlir::Value flags, mlir::Value consumer,
                           int64_t consumers);

} // namespace nibble::hopper
