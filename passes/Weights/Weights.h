// Packed weights for fake-quantized ones: what the rollout and hoisting share.
#pragma once

#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nibble {

// The functions that `entries` call, directly or not, and themselves; callees
// before their callers. Calls that cannot be followed are skipped.
llvm::SmallVector<mlir::func::FuncOp>
reachableFunctions(llvm::ArrayRef<mlir::func::FuncOp> entries,
                   mlir::SymbolTable &symbols);

// In all functions that `entries` reach, fake_quant of an argument becomes
// dequantize of a packed argument. One that `accept` refuses stays; without it
// none may. What others call as well is copied, once for all entries. Failure,
// after an error that begins with `pass`, when one weight has two schemes or is
// no argument.
mlir::LogicalResult
packWeights(llvm::ArrayRef<mlir::func::FuncOp> entries,
            mlir::SymbolTable &symbols,
            llvm::StringRef pass = "nibble-pack-weights",
            llvm::function_ref<bool(qat::FakeQuantOp)> accept = nullptr);

// Reads every weight of these functions without rounding it to the grid.
void dropFakeQuant(mlir::ArrayRef<mlir::func::FuncOp> functions);

} // namespace nibble
