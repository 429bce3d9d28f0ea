// The interface that gradient rules implement, and their registration.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/IR/OpDefinition.h"

#include "passes/Differentiate/GradientOpInterface.h.inc"

namespace mlir {
class DialectRegistry;
}

namespace nibble {

// Attaches every rule to its op: nn, qat, arith, math, tensor, linalg and
// func.call.
void registerGradientModels(mlir::DialectRegistry &registry);

void registerNNGradients(mlir::DialectRegistry &registry);
void registerQATGradients(mlir::DialectRegistry &registry);
void registerArithGradients(mlir::DialectRegistry &registry);
void registerMathGradients(mlir::DialectRegistry &registry);
void registerTensorGradients(mlir::DialectRegistry &registry);
void registerLinalgGradients(mlir::DialectRegistry &registry);
void registerCallGradients(mlir::DialectRegistry &registry);

} // namespace nibble
