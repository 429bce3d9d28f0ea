// The epilogue of a linear: the tree of N11 for several outputs at once, and
// the store.
#pragma once

#include "passes/LowerToHost/Linear/LinearWeight.h"

namespace nibble::host {

// Outputs of a token that are computed together, which are rows of the weight.
inline constexpr int64_t kTileRows = 8;

// vector<8xf32> from eight vector<16xf32>. Element r equals
// Emitter::reduceAdd(accumulators[r]), bit for bit.
mlir::Value reduceRows(Emitter &b, llvm::ArrayRef<mlir::Value> accumulators);

// Computes y = E(sum); with bias E(y + bias); with residual E(y + residual).
struct LinearEpilogue {
  mlir::Value y;        // [T, N]
  mlir::Value bias;     // [N] or null
  mlir::Value residual; // [T, N] or null

  // Stores outputs [row, row + count) of `token`, which are the first `count`
  // elements of a vector.
  void store(Emitter &b, mlir::Value sums, mlir::Value token, mlir::Value row,
             int64_t count) const;
};

} // namespace nibble::host
