// Stages of passes/Pipelines.cpp, run on a module.
#pragma once

#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

namespace nibble {

// All of `stages`, in their order. What went wrong is in the diagnostics.
//
// The module is verified once, behind the last pass: behind each of some fifty
// passes it takes as long as the passes do. nibble-opt verifies behind each.
inline mlir::LogicalResult runStages(mlir::ModuleOp module,
                                     llvm::ArrayRef<Stage> stages,
                                     const StageOptions &options = {}) {
  mlir::PassManager manager(module.getContext());
  manager.enableVerifier(false);
  buildStages(manager, stages, options);
  if (failed(manager.run(module)))
    return mlir::failure();
  return mlir::verify(module);
}

} // namespace nibble
