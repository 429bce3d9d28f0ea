// The kernels of the linears, one file each. dialects/NN/NNLayerOps.td and
// dialects/QAT/QATOps.td describe the attributes and operands. The orders of
// summation are N10 and N11.
#pragma once

#include "passes/LowerToHost/Emit/Kernels.h"

namespace nibble::host {

// nn.linear and qat.linear. `weight` is a matrix, or the bytes of a packed one.
// `bias` and `residual` may be null.
llvm::LogicalResult emitLinearForward(Kernel &kernel, mlir::Value x,
                                      mlir::Value weight, mlir::Value bias,
                                      mlir::Value residual, mlir::Value y);
// nn.linear_input_grad and qat.linear_input_grad.
llvm::LogicalResult emitLinearInputGrad(Kernel &kernel, mlir::Value dy,
                                        mlir::Value weight, mlir::Value dx);
// `dweight` holds the op's init on entry.
llvm::LogicalResult emitLinearWeightGrad(Kernel &kernel, mlir::Value dy,
                                         mlir::Value x, mlir::Value dweight);

} // namespace nibble::host
