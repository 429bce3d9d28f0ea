// Keys (or values) of a batch turned around, so that sixteen keys of one
// element lie side by side: what the key cache looks like, in float32 scratch
// memory.
#pragma once

#include "passes/LowerToHost/Attention/AttentionTile.h"

namespace nibble::host {

// [blocks, kv heads, D, key block]: block n of sequence s, counted from
// position 0, is number firstBlock(s) + n.
struct Panel {
  mlir::Value memory;

  // Number of the block that holds positions kv_block * n ... of a sequence
  // that begins at token `begin` of the batch with position `lowest`.
  static mlir::Value blockNumber(AttentionEmitter &a, mlir::Value sequence,
                                 mlir::Value begin, mlir::Value lowest,
                                 mlir::Value block);
  mlir::Value lanes(AttentionEmitter &a, mlir::Value number, mlir::Value kvHead,
                    mlir::Value element, int64_t vector) const;
};

// Allocates and fills a panel from `source` [T, kv heads * D], in parallel over
// heads and sequences. Slots of the first and last block of a sequence that no
// token fills are 0.
Panel makePanel(AttentionEmitter &a, mlir::Value source, mlir::Value positions,
                mlir::Value sequences);

} // namespace nibble::host
