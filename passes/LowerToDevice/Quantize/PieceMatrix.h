// A row-major matrix in pieces of eight elements of a row, read and written in
// accesses as wide as its rows allow.
#pragma once

#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

namespace nibble::device {

struct PieceMatrix {
  mlir::Type element; // bf16 or float32
  int64_t n = 0, k = 0;
  mlir::Value pointer;

  int64_t perRow() const { return (k + kPiece - 1) / kPiece; }
  // The piece that begins at `column`, a multiple of 8, as four words of two
  // bf16 (float32 is rounded, N1); zeros beyond the matrix. `inside`: the row
  // is known to be one.
  mlir::Value load(Emitter &b, mlir::Value row, mlir::Value column,
                   bool inside = false) const;
  // Four words of two bf16 back; nothing beyond the matrix.
  void store(Emitter &b, mlir::Value words, mlir::Value row, mlir::Value column,
             bool inside = false) const;
};

// Stores the low `bytes` bytes of an i32 at byte `offset` (i64) of a buffer;
// `alignment` is that of offset.
void storeBytes(Emitter &b, mlir::Value value, int64_t bytes,
                mlir::Value pointer, mlir::Value offset, int64_t alignment);
// Loads them, zero above.
mlir::Value loadBytes(Emitter &b, int64_t bytes, mlir::Value pointer,
                      mlir::Value offset, int64_t alignment);

} // namespace nibble::device
