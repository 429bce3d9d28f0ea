// One launch for many buffers of one kind: a kernel's last parameter is a table
// with a row for each.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

struct BatchRow {
  llvm::SmallVector<mlir::Value>
      values; // on the host: buffers and index values, of the same types in
              // each row
  mlir::Value
      blocks; // an index value on the host: blocks that work on this row
  mlir::Value touches = {}; // likewise: bytes that they touch of the spec's
                            // `partly`; all rows or none
};

// body(b, arguments, row, block): `arguments` are the spec's, the same for all;
// `row` the values of the block's row (global pointers and i32), `block` its
// number (i32) among those of the row.
using BatchBody =
    llvm::function_ref<void(Emitter &, mlir::ValueRange arguments,
                            mlir::ValueRange row, mlir::Value block)>;

// One launch, or as many as the parameters' size makes necessary. The grid is
// made here, and the key completed. Rows with the same known number of blocks
// are the grid's second dimension; else a block finds its row by its number.
void launchBatched(Kernel &kernel, LaunchSpec spec,
                   llvm::ArrayRef<BatchRow> rows, BatchBody body);

} // namespace nibble::device
