// What stays in full precision although a recipe names it.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace nibble {

// Fewer than two dimensions: no grid is for such a parameter.
bool isVector(mlir::BlockArgument parameter);

// Whether some read of `parameter` goes through a rounding, in functions that
// are called with it too.
bool isQuantized(mlir::ModuleOp module, mlir::BlockArgument parameter);

// A word for each read of `parameter`, the argument of a function that is
// called from outside, that no rounding came to: at the op that reads it, with
// the reason. A vector gets no word; nor do reads that compute no product (an
// embedding), or that are not there, when another one is quantized, here or in
// another function that has the parameter
// (`quantizedElsewhere`). Warnings, or errors when `strict`; returns how many.
int64_t reportUnquantized(mlir::ModuleOp module, mlir::BlockArgument parameter,
                          mlir::StringRef name, bool quantizedElsewhere,
                          bool strict);

} // namespace nibble
