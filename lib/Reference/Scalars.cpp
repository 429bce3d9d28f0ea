// Looks up the function of a scalar op and rounds its result.
#include "lib/Reference/Scalars.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

Scalar reference::elementOf(const ReferenceValue &value, int64_t index) {
  Scalar scalar;
  if (value.isReal())
    scalar.real = value.reals[index];
  else
    scalar.integer = value.integers[index];
  return scalar;
}

void reference::setElement(ReferenceValue &value, int64_t index,
                           const Scalar &scalar) {
  if (value.isReal())
    value.reals[index] = scalar.real;
  else
    value.integers[index] = scalar.integer;
}

Scalar reference::finish(Scalar value, Type element, bool rounded) {
  if (!isa<FloatType>(element))
    value.integer = wrapTo(value.integer, element);
  else if (rounded)
    value.real = roundTo(value.real, element);
  return value;
}

static const ScalarTable &scalarTable() {
  static const ScalarTable table = [] {
    ScalarTable all;
    addArithScalars(all);
    addMathScalars(all);
    return all;
  }();
  return table;
}

ScalarFunction reference::findScalarFunction(StringRef name) {
  return scalarTable().lookup(name);
}
