// The ops of nn and qat, and the example of each.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace nibble::test {

// Names of all ops that the two dialects register, nn first, by name.
std::vector<std::string> allOps(mlir::MLIRContext &context);

// The text of test/dialects/Inputs/ops.mlir: for each op a function of its
// name.
mlir::OwningOpRef<mlir::ModuleOp> parseExamples(mlir::MLIRContext &context);

// A module with the example of one op alone; null when there is none.
mlir::OwningOpRef<mlir::ModuleOp> exampleOf(mlir::ModuleOp examples,
                                            const std::string &op);

// The first op of this name; null when there is none.
mlir::Operation *findOp(mlir::Operation *root, const std::string &op);

} // namespace nibble::test
