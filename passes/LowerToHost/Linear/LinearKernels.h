// The kernels of the linears, one file each. The op's attributes and operands
// are in dialects/NN/NNLayerOps.td and dialects/QAT/QATOps.td; their orders of
// summation are N10 and N11.
#pragma once

#include "passes/LowerToHost/Emit/Kernels.h"

namespace nibble::host {

// nn.linear and qat.linear: inputs x, weight, bias?, residual?; output y.
llvm::LogicalResult emitLinearForward(Kernel &kernel);
// nn.linear_input_grad and qat.linear_input_grad: inputs dy, weight; output dx.
llvm::LogicalResult emitLinearInputGrad(Kernel &kernel);
// nn.linear_weight_grad: inputs dy, x, init; output dweight, which holds init
// on entry.
llvm::LogicalResult emitLinearWeightGrad(Kernel &kernel);

} // namespace nibble::host
