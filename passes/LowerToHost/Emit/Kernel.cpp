// What a kernel's writer asks of its op.
#include "passes/LowerToHost/Emit/Kernels.h"

using namespace mlir;
using namespace nibble::host;

int64_t Kernel::integer(StringRef name) const {
  auto attribute = op.getParameters().getAs<IntegerAttr>(name);
  return attribute ? attribute.getInt() : 0;
}

float Kernel::real(StringRef name) const {
  auto attribute = op.getParameters().getAs<FloatAttr>(name);
  return attribute ? attribute.getValue().convertToFloat() : 0.0f;
}

bool Kernel::flag(StringRef name) const {
  return op.getParameters().contains(name);
}

Type Kernel::inputType(unsigned i) const {
  return cast<TypeAttr>(op.getInputTypes()[i]).getValue();
}

Type Kernel::outputType(unsigned i) const {
  return cast<TypeAttr>(op.getOutputTypes()[i]).getValue();
}

Value Kernel::optional(unsigned group) const {
  auto sizes =
      op.getParameters().getAs<DenseI32ArrayAttr>("operandSegmentSizes");
  if (!sizes || group >= static_cast<unsigned>(sizes.size()) ||
      sizes[group] == 0)
    return Value();
  unsigned position = 0;
  for (unsigned i = 0; i < group; ++i)
    position += sizes[i];
  return inputs[position];
}
