// Runs the stages of passes/Pipelines.cpp on a module.
#pragma once

#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace nibble {

// Runs all of `stages` in order. Diagnostics say what went wrong.
inline mlir::LogicalResult runStages(mlir::ModuleOp module,
                                     llvm::ArrayRef<Stage> stages,
                                     const StageOptions &options = {}) {
  mlir::PassManager manager(module.getContext());
  buildStages(manager, stages, options);
  return manager.run(module);
}

} // namespace nibble
