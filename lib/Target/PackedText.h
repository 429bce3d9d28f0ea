// How the runtime knows a packed weight's type (nibble_value_info::packed).
#pragma once

#include "dialects/QAT/QAT.h"
#include "lib/Numerics/pack.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

#include <string>

namespace nibble {

// Scheme and layout as text, which numerics::parsePacked reads. Reports an
// error at `function` when the attribute holds another type.
inline mlir::FailureOr<std::string> packedText(mlir::Operation *function,
                                               mlir::TypeAttr packed) {
  if (auto type = mlir::dyn_cast<qat::PackedType>(packed.getValue()))
    return numerics::toString(type.numericsLayout());
  return function->emitError() << "has a packed argument of type " << packed
                               << "; use !qat.packed<...>";
}

} // namespace nibble
