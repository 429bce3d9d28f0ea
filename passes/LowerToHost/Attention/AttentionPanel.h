// The keys (or values) of a batch in a transposed panel, so that sixteen keys
// of one element are neighbours. The panel has the layout of the key cache, in
// float32 scratch memory.
#pragma once

#include "passes/LowerToHost/Attention/AttentionTile.h"

namespace nibble::host {

// [blocks, kv heads, D, key block]. Block n of sequence s, counted from
// position 0, has the number firstBlock(s) + n.
struct Panel {
  mlir::Value memory;

  // The number of the block with positions kv_block * n ... of a sequence. Its
  // first token in the batch is `begin`, at position `lowest`.
  static mlir::Value blockNumber(AttentionEmitter &a, mlir::Value sequence,
                                 mlir::Value begin, mlir::Value lowest,
                                 mlir::Value block);
  mlir::Value lanes(AttentionEmitter &a, mlir::Value number, mlir::Value kvHead,
                    mlir::Value element, int64_t vector) const;
};

// Allocates a panel and fills it from `source` [T, kv heads * D], in parallel
// over heads and sequences. Slots in the first and last block of a sequence
// that have no token are 0.
Panel makePanel(AttentionEmitter &a, mlir::Value source, mlir::Value positions,
                mlir::Value sequences);

} // namespace nibble::host
