// What stays in full precision although a recipe names it.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace nibble {

// A word for each read of `parameter`, the argument of a function that is called from outside, that no rounding came
// to: at the op that reads it, with the reason. A parameter of fewer than two dimensions is none of a grid's concern
// and gets no word; nor do reads that compute no product (an embedding) when another one is quantized. Warnings, or
// errors when `strict`; returns how many.
int64_t reportUnquantized(mlir::ModuleOp module, mlir::BlockArgument parameter, mlir::StringRef name, bool strict);

} // namespace nibble
