// Calls of the runtime (include/nibble/ABI.h) from code on buffers, before it
// is lowered to LLVM.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nibble::host {

// Calls `callee`, which is declared at its first call with the types of
// `operands` and `results`.
mlir::func::CallOp callRuntime(mlir::ImplicitLocOpBuilder &b,
                               mlir::ModuleOp module, llvm::StringRef callee,
                               mlir::TypeRange results,
                               mlir::ValueRange operands);

// The address (i64) of a constant of the module with `text` and a terminating
// 0. Its name begins with `symbol`.
mlir::Value textAddress(mlir::ImplicitLocOpBuilder &b, mlir::ModuleOp module,
                        llvm::StringRef symbol, llvm::StringRef text);

} // namespace nibble::host
