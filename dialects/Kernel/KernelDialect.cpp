// Registers the kernel dialect; verifies kernel.compute and states its memory
// effects.
#include "dialects/Kernel/Kernel.h"

using namespace mlir;
using namespace nibble::kernel;

#include "dialects/Kernel/KernelDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.cpp.inc"

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/KernelOps.cpp.inc"
      >();
}

LogicalResult KernelDialect::verifyOperationAttribute(Operation *op,
                                                      NamedAttribute named) {
  if (named.getName() != kTargetAttr)
    return op->emitError() << "the kernel dialect has no attribute "
                           << named.getName() << " for ops; it has "
                           << kTargetAttr;
  if (!isa<ModuleOp>(op))
    return op->emitError() << kTargetAttr << " belongs on a module";
  return success();
}

void ComputeOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &input : getInputsMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &input);
  for (OpOperand &output : getOutputsMutable()) {
    effects.emplace_back(MemoryEffects::Read::get(), &output);
    effects.emplace_back(MemoryEffects::Write::get(), &output);
  }
}

LogicalResult ComputeOp::verify() {
  if (getInputTypes().size() != getInputs().size() ||
      getOutputTypes().size() != getOutputs().size())
    return emitOpError() << "has " << getInputs().size() << " inputs and "
                         << getOutputs().size()
                         << " outputs but as many tensor types as "
                         << getInputTypes().size() << " and "
                         << getOutputTypes().size();
  return success();
}
