// y = x wT for few tokens: weights go from their codes through registers into
// the sums, without a panel.
//
// A panel pays off when many tokens share it. For few tokens, writing and
// reading it costs more than decoding a weight again for every eight tokens.
// The chains are those of N11, so the bits are the same as with a panel.
#pragma once

#include "passes/LowerToHost/Linear/LinearWeight.h"

namespace nibble::host {

struct DirectLinear {
  Emitter &b;
  const WeightReader &weight;
  mlir::Value x; // [T, at least steps * 16] float32
  int64_t vectorRegisters;

  // The largest number of tokens for which this is faster.
  int64_t mostTokens() const { return vectorRegisters < 32 ? 4 : 16; }

  // Emits the outputs of tokens [begin, end) and the eight rows of block
  // `rowBlock`; rows beyond N repeat the last one. Calls consume(token, sums)
  // once for each token. `sums` are eight vector<16xf32>, one per row, before
  // the tree.
  void emit(mlir::Value begin, mlir::Value end, mlir::Value rowBlock,
            llvm::function_ref<void(mlir::Value token,
                                    llvm::ArrayRef<mlir::Value> sums)>
                consume) const;

private:
  void tile(mlir::Value token, mlir::Value lastToken, int64_t count,
            mlir::Value rowBlock, mlir::Value sums) const;
};

} // namespace nibble::host
