// Registers the gradient rules of every dialect.
#include "passes/Differentiate/GradientOpInterface.h"

#include "passes/Differentiate/GradientOpInterface.cpp.inc"

void nibble::registerGradientModels(mlir::DialectRegistry &registry) {
  registerNNGradients(registry);
  registerQATGradients(registry);
  registerArithGradients(registry);
  registerMathGradients(registry);
  registerTensorGradients(registry);
  registerLinalgGradients(registry);
  registerCallGradients(registry);
}
