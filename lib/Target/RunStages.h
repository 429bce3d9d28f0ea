// Runs the stages of passes/Pipelines.cpp on a module.
#pragma once

#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

namespace nibble {

// Runs all of `stages` in order. Diagnostics say what went wrong.
//
// The verifier runs once, behind the last pass. Behind each of some fifty
// passes it would take as long as the passes. nibble-opt verifies behind each.
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
