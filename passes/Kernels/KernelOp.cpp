// Checks that a kernel.compute matches its op, and finds the buffers of its
// operands.
#include "passes/Kernels/KernelOp.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace nibble::kernels {

Type KernelOp::tensorType(Value buffer) const {
  auto typeIn = [&](ValueRange buffers, ArrayAttr types) -> Type {
    for (auto [candidate, type] : llvm::zip(buffers, types))
      if (candidate == buffer)
        return cast<TypeAttr>(type).getValue();
    return {};
  };
  Type type = typeIn(inputs, op.getInputTypes());
  return type ? type : typeIn(outputs, op.getOutputTypes());
}

LogicalResult detail::checkNames(kernel::ComputeOp op,
                                 ArrayRef<StringRef> names) {
  for (NamedAttribute attribute : op.getParameters()) {
    StringRef name = attribute.getName();
    if (!name.contains('.') && !llvm::is_contained(names, name))
      return op.emitOpError() << op.getSource() << " has no attribute '" << name
                              << "'; it has: " << llvm::join(names, ", ");
  }
  return success();
}

FailureOr<SmallVector<Value>>
detail::orderOperands(const KernelOp &kernel, ArrayRef<nn::InPlacePair> inPlace,
                      int operands, unsigned results) {
  kernel::ComputeOp op = kernel.op;
  size_t count = kernel.inputs.size() + inPlace.size();
  if ((operands >= 0 && count != static_cast<size_t>(operands)) ||
      kernel.outputs.size() != results)
    return op.emitOpError()
           << "has " << kernel.inputs.size() << " inputs and "
           << kernel.outputs.size() << " outputs, which are no operands and "
           << "results of " << op.getSource();
  SmallVector<Value> ordered;
  size_t next = 0;
  for (unsigned i = 0; i < count; ++i) {
    const auto *pair = llvm::find_if(
        inPlace, [&](nn::InPlacePair pair) { return pair.operand == i; });
    if (pair != inPlace.end()) {
      ordered.push_back(kernel.outputs[pair->result]);
    } else if (next < kernel.inputs.size()) {
      ordered.push_back(kernel.inputs[next++]);
    } else {
      return op.emitOpError() << "has too few inputs for " << op.getSource();
    }
  }
  return ordered;
}

LogicalResult detail::checkSegments(kernel::ComputeOp op,
                                    ArrayRef<int32_t> sizes, size_t operands) {
  int64_t sum = 0;
  for (int32_t size : sizes)
    sum += size;
  if (sum == static_cast<int64_t>(operands))
    return success();
  return op.emitOpError() << "has " << operands << " operands of "
                          << op.getSource() << " but operandSegmentSizes of "
                          << sum << "; say which optional operands are there";
}

} // namespace nibble::kernels
