// Stages of passes/Pipelines.cpp, run on a module.
#pragma once

#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace nibble {

// All of `stages`, in their order. What went wrong is in the diagnostics.
inline mlir::LogicalResult runStages(mlir::ModuleOp module,
                                     llvm::ArrayRef<Stage> stages,
                                     const StageOptions &options = {}) {
  mlir::PassManager manager(module.getContext());
  buildStages(manager, stages, options);
  return manager.run(module);
}

} // namespace nibble
