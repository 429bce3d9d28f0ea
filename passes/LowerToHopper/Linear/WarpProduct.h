// D = A B + D by each warp for its own 16 rows: mma.sync m16n8k16, bf16 with
// float32 sums.
//
// The bits are those of wgmma, which a test on the device compares. With up to
// 16 columns it takes half the time, and warps do not wait for each other. A's
// fragment is that of one warp of a warpgroup in wgmma (PTX ISA).
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::hopper {

using namespace device;

class WarpProduct {
public:
  // B [columns, k] has 8 or 16 columns and comes in boxes of 64 k as tensor
  // copies write them. Their rows have 128 bytes with the 128-byte swizzle, and
  // they are aligned to 1024 bytes. Construct it outside of loops, because it
  // computes the lane's place in a box.
  WarpProduct(Emitter &b, int64_t columns);

  // Steps of 16 k per load.
  int64_t stepsOfLoad() const { return groups_ == 1 ? 2 : 1; }
  // B's fragments (four registers) from `step` on, of the four steps of a box.
  // `step` is a multiple of stepsOfLoad.
  llvm::SmallVector<mlir::Value> load(mlir::Value box, int64_t step);
  // One step. `fragment` is vector<4xi32> of A, `loaded` comes from load(),
  // `sums` is vector<columns/2 x f32>.
  mlir::Value multiply(mlir::Value fragment, llvm::ArrayRef<mlir::Value> loaded,
                       int64_t step, mlir::Value sums);

private:
  Emitter &b_;
  int64_t groups_;    // of eight columns
  mlir::Value place_; // bytes
};

} // namespace nibble::hopper
