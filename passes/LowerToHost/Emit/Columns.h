// Sums over the columns of a [rows, columns] buffer: rows in order, columns
// divided among lanes and threads.
#pragma once

#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

inline mlir::MemRefType bufferType(mlir::Value buffer) {
  return llvm::cast<mlir::MemRefType>(buffer.getType());
}
using kernels::columnsOf;
using kernels::elementOf;

// Sixteen lanes, or the first `count` if it is given; Emitter::forLanes
// provides `count`.
mlir::Value loadPart(Emitter &b, mlir::Value buffer, mlir::ValueRange indices,
                     mlir::Value count, float fill = 0.0f);
void storePart(Emitter &b, mlir::Value lanes, mlir::Value buffer,
               mlir::ValueRange indices, mlir::Value count);

// `vectors` times sixteen columns from `first`. The last vector may extend past
// the end and then has `tail` lanes.
struct ColumnBlock {
  Emitter &b;
  mlir::Value first;
  int64_t vectors;
  mlir::Value tail; // null when every vector is whole

  // Lanes of vector i in the row at `leading` (the indices before the last),
  // `offset` columns further right.
  mlir::Value load(mlir::Value buffer, mlir::ArrayRef<mlir::Value> leading,
                   int64_t i, mlir::Value offset = {});
  void store(mlir::Value lanes, mlir::Value buffer,
             mlir::ArrayRef<mlir::Value> leading, int64_t i);

private:
  llvm::SmallVector<mlir::Value> place(mlir::ArrayRef<mlir::Value> leading,
                                       int64_t i, mlir::Value offset);
};

// Divides `columns` into blocks for the threads. A column belongs to one block,
// so one thread computes each column's sum, in the order of the body's loop.
void parallelColumns(Emitter &b, int64_t columns,
                     llvm::function_ref<void(ColumnBlock)> body);

// The buffer as [rows, columns]: leading dimensions are merged, and a vector is
// one row.
mlir::Value asRows(Emitter &b, mlir::Value buffer);

} // namespace nibble::host
