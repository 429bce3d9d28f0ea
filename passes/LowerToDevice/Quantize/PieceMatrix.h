// A row-major matrix in pieces, which are eight neighbours of a row. Accesses
// are as wide as the rows allow.
#pragma once

#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

namespace nibble::device {

struct PieceMatrix {
  mlir::Type element; // bf16 or float32
  int64_t n = 0, k = 0;
  mlir::Value pointer;

  int64_t perRow() const { return (k + kPiece - 1) / kPiece; }
  // Loads the piece at `column`, a multiple of 8, as four words of two bf16;
  // float32 is rounded (N1). Elements outside of the matrix are zero. `inside`
  // tells that the row is in the matrix.
  mlir::Value load(Emitter &b, mlir::Value row, mlir::Value column,
                   bool inside = false) const;
  // Stores four words of two bf16; nothing outside of the matrix.
  void store(Emitter &b, mlir::Value words, mlir::Value row, mlir::Value column,
             bool inside = false) const;
};

// Stores the low `bytes` bytes of an i32 at byte `offset` (i64) of a buffer;
// `alignment` is that of the offset.
void storeBytes(Emitter &b, mlir::Value value, int64_t bytes,
                mlir::Value pointer, mlir::Value offset, int64_t alignment);
// Loads them, zero-extended.
mlir::Value loadBytes(Emitter &b, int64_t bytes, mlir::Value pointer,
                      mlir::Value offset, int64_t alignment);

} // namespace nibble::device
