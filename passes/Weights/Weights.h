// Replaces fake-quantized weights by packed ones, for the rollout and for
// hoisting.
#pragma once

#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nibble {

// `entries` and the functions that they call, directly or not; callees before
// their callers. Calls that cannot be followed are skipped.
llvm::SmallVector<mlir::func::FuncOp>
reachableFunctions(llvm::ArrayRef<mlir::func::FuncOp> entries,
                   mlir::SymbolTable &symbols);

// In all functions that `entries` reach, turns fake_quant of an argument into
// dequantize of a packed argument. A fake_quant that `accept` rejects stays;
// without `accept` none may stay. Functions that others call as well are
// copied, once for all entries. Fails, after an error that begins with `pass`,
// when a weight has two schemes or is not an argument.
mlir::LogicalResult
packWeights(llvm::ArrayRef<mlir::func::FuncOp> entries,
            mlir::SymbolTable &symbols,
            llvm::StringRef pass = "nibble-pack-weights",
            llvm::function_ref<bool(qat::FakeQuantOp)> accept = nullptr);

// Removes fake_quant, so that the functions read every weight unrounded.
void dropFakeQuant(mlir::ArrayRef<mlir::func::FuncOp> functions);

} // namespace nibble
