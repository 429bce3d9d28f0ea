// What becomes of fake-quantized weights in a rollout.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

namespace nibble {

// The functions that `entry` calls, directly or not, and itself; callees before their callers. Calls that cannot be followed are skipped.
llvm::SmallVector<mlir::func::FuncOp> reachableFunctions(mlir::func::FuncOp entry, mlir::SymbolTable &symbols);

// nibble-pack-weights: in all functions that `entry` reaches, fake_quant of an argument becomes dequantize of a packed argument.
mlir::LogicalResult packWeights(mlir::func::FuncOp entry, mlir::SymbolTable &symbols);

// Reads every weight of these functions without rounding it to the grid.
void dropFakeQuant(mlir::ArrayRef<mlir::func::FuncOp> functions);

} // namespace nibble
