// The ops of nn and qat, and an example of each.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace nibble::test {

// Names of all ops that the two dialects register, sorted, nn first.
std::vector<std::string> allOps(mlir::MLIRContext &context);

// Parses test/dialects/Inputs/ops.mlir, which has for each op a function of its
// name.
mlir::OwningOpRef<mlir::ModuleOp> parseExamples(mlir::MLIRContext &context);

// A module with the example of one op only, or null.
mlir::OwningOpRef<mlir::ModuleOp> exampleOf(mlir::ModuleOp examples,
                                            const std::string &op);

// The first op with this name, or null.
mlir::Operation *findOp(mlir::Operation *root, const std::string &op);

} // namespace nibble::test
