// The element type of scalars, vectors and tensors.
#pragma once

#include "mlir/IR/BuiltinTypeInterfaces.h"

namespace nibble {

// `type` with another element type: a shaped type keeps its shape, and a scalar
// becomes that type.
inline mlir::Type withElement(mlir::Type type, mlir::Type element) {
  auto shaped = mlir::dyn_cast<mlir::ShapedType>(type);
  return shaped ? mlir::Type(shaped.clone(element)) : element;
}

} // namespace nibble
