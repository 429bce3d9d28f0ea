// One launch for many buffers of one kind. The kernel's last parameter is a
// table with one row for each.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

struct BatchRow {
  // On the host: buffers and index values, of the same types in each row.
  llvm::SmallVector<mlir::Value> values;
  // On the host: an index value, the number of blocks that work on this row.
  mlir::Value blocks;
  // Also an index value: the bytes that they touch of the spec's `partly`. All
  // rows have it, or none.
  mlir::Value touches = {};
};

// body(b, arguments, row, block). `arguments` are those of the spec, the same
// for all rows. `row` has the values of the block's row (global pointers and
// i32). `block` is the block's number in that row (i32).
using BatchBody =
    llvm::function_ref<void(Emitter &, mlir::ValueRange arguments,
                            mlir::ValueRange row, mlir::Value block)>;

// Makes one launch, or more if the table exceeds the limit on parameters. Sets
// the grid and completes the key. If all rows have the same static number of
// blocks, rows are the grid's second dimension. Otherwise a block searches its
// row by its number.
void launchBatched(Kernel &kernel, LaunchSpec spec,
                   llvm::ArrayRef<BatchRow> rows, BatchBody body);

} // namespace nibble::device
