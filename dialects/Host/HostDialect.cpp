#include "dialects/Host/Host.h"

using namespace mlir;
using namespace nibble::host;

#include "dialects/Host/HostDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Host/HostOps.cpp.inc"

void HostDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Host/HostOps.cpp.inc"
      >();
}

void KernelOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &input : getInputsMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &input);
  for (OpOperand &output : getOutputsMutable()) {
    effects.emplace_back(MemoryEffects::Read::get(), &output);
    effects.emplace_back(MemoryEffects::Write::get(), &output);
  }
}

LogicalResult KernelOp::verify() {
  if (getInputTypes().size() != getInputs().size() || getOutputTypes().size() != getOutputs().size())
    return emitOpError() << "has " << getInputs().size() << " inputs and " << getOutputs().size()
                         << " outputs but as many tensor types as " << getInputTypes().size() << " and "
                         << getOutputTypes().size();
  return success();
}
