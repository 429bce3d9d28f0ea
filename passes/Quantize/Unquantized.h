// Finds weights that stay in full precision although a recipe names them.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace nibble {

// Whether it has fewer than two dimensions, so that no grid applies to it.
bool isVector(mlir::BlockArgument parameter);

// Whether some read of `parameter` goes through a rounding, also in the
// functions that are called with it.
bool isQuantized(mlir::ModuleOp module, mlir::BlockArgument parameter);

// Reports each read of `parameter` that stays in full precision, at the op that
// reads it and with the reason. `parameter` must be an argument of a function
// that is called from outside. Vectors are not reported. When another read is
// quantized, here or in another function with the parameter
// (`quantizedElsewhere`), missing reads and reads that compute no product, such
// as an embedding, are not reported either. Emits warnings, or errors when
// `strict`, and returns their number.
int64_t reportUnquantized(mlir::ModuleOp module, mlir::BlockArgument parameter,
                          mlir::StringRef name, bool quantizedElsewhere,
                          bool strict);

} // namespace nibble
