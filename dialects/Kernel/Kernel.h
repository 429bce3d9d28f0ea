// The kernel dialect: nn and qat ops on buffers, and the machine that they run
// on. See the generated page docs/dialects/kernel.md.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Kernel/KernelDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/KernelOps.h.inc"

namespace nibble::kernel {

// On a module: the machine that its kernels are for, as #host.target or
// #hopper.target.
inline constexpr llvm::StringLiteral kTargetAttr = "kernel.target";

// The target of the module. Reports an error when it has none, or one of
// another kind than TargetAttr.
template <typename TargetAttr>
mlir::FailureOr<TargetAttr> targetOf(mlir::ModuleOp module) {
  mlir::Attribute attribute = module->getAttr(kTargetAttr);
  if (!attribute)
    return module.emitError() << "has no " << kTargetAttr
                              << ", which says what its kernels are for; "
                                 "nibble-set-target adds it";
  if (auto target = llvm::dyn_cast<TargetAttr>(attribute))
    return target;
  return module.emitError()
         << "is for " << attribute << ", and kernels of " << TargetAttr::name
         << " are asked for; compile it for the machine that it names";
}

} // namespace nibble::kernel
