// The codes and scales of packed weights in shared memory, and the fragments of
// A that a thread makes from them.
#pragma once

#include "passes/LowerToHopper/Linear/MatrixKernel.h"

namespace nibble::hopper {

// The row of the thread's fragments in the 64 rows of its warpgroup. Its other
// rows are 8 below.
mlir::Value rowInGroup(Emitter &b);

// The fragments of one stage of a ring.
class SlabFragments {
public:
  // `slot` is the address of the stage. `step` is its number from the beginning
  // of the row; only the last bit counts. `group` selects one of the two slabs.
  // All but the pointer are i32.
  SlabFragments(Emitter &b, const MatrixSpec &spec, mlir::Value slot,
                mlir::Value step, mlir::Value group);

  // Loads all scales now. Returns whether those of the warp's rows are all
  // small: above 0 and below 2^-5. Only where spec.hasSmallDecode().
  mlir::Value loadScales();
  // Step `s` of 16 k of the stage, as vector<4xi32>. Call it with s ascending
  // from 0. With `small`, which requires small scales, it takes fewer
  // instructions for the same bits (hopper.dequantize_small).
  mlir::Value fragment(int64_t s, bool small);

private:
  // Scale i of the upper row, then of the lower one: the bits as stored, or
  // the bf16 in both halves of a register.
  mlir::Value scaleBits(int64_t i);
  mlir::Value scale(int64_t i);
  mlir::Value times(mlir::Value x, int64_t bits);

  Emitter &b_;
  qat::SchemeAttr scheme_;
  int64_t scaleBytes_; // of one
  int64_t perRow_;     // scales of a row in the stage
  int64_t perSlabRow_;
  mlir::Value codes_, scales_;
  // Scales of the upper row, then of the lower, each twice in a register.
  llvm::SmallVector<mlir::Value> loaded_;
  mlir::Value words_, low_, high_, minusLow_, minusHigh_;
};

// Whether all scales of `rows` rows in the bytes [begin, begin + bytes) are
// small. All consumers of the block must call it, and all get the answer.
// `bytes` (i32) is a multiple of 16. `flags` is shared memory, 4 bytes for each
// warp of consumers. `consumer` is the thread's number.
mlir::Value scalesAreSmall(Emitter &b, mlir::Value begin, mlir::Value bytes,
                           mlir::Value flags, mlir::Value consumer,
                           int64_t consumers);

} // namespace nibble::hopper
