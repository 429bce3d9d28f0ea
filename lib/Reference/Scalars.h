// arith and math on one element: the meaning shared by elementwise ops on
// tensors and the bodies of linalg ops.
#pragma once

#include "lib/Reference/Interpreter.h"

namespace nibble::reference {

// One element: `real` for a float type, `integer` (as in ReferenceValue) for an
// integer or index type.
struct Scalar {
  double real = 0.0;
  int64_t integer = 0;
};

Scalar elementOf(const ReferenceValue &value, int64_t index);
void setElement(ReferenceValue &value, int64_t index, const Scalar &scalar);

// `op` applied to one element of each operand. Operand and result types are the
// op's element types. The result is not rounded or wrapped yet. False when
// there is no result: integer division by zero.
using ScalarFunction = bool (*)(mlir::Operation *op, llvm::ArrayRef<Scalar> in,
                                Scalar &out);

// Null when the op is not elementwise arith or math.
ScalarFunction findScalarFunction(llvm::StringRef name);

// Converts the result of a scalar function to an element of type `element`:
// integers are wrapped, floats rounded if `rounded`.
Scalar finish(Scalar value, mlir::Type element, bool rounded);

using ScalarTable = llvm::StringMap<ScalarFunction>;
void addArithScalars(ScalarTable &table);
void addMathScalars(ScalarTable &table);

} // namespace nibble::reference
