// The ops of an optimizer's update, adamw and quantize, gathered: a few
// launches for all parameters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

// Ops of one block that give the same when all of `steps`, in any order, and
// then all of `quantizes`, in any order, run where the last of them stands. The
// steps have the same hyperparameters.
struct UpdateBatch {
  llvm::SmallVector<kernel::ComputeOp> steps;     // nn.adamw
  llvm::SmallVector<kernel::ComputeOp> quantizes; // qat.quantize
  kernel::ComputeOp last;
};

// Every nn.adamw and qat.quantize of the module, each in one batch; a batch
// ends before an op that touches what one of its ops writes, or writes what one
// of them reads.
llvm::SmallVector<UpdateBatch> findUpdateBatches(mlir::ModuleOp module);

// Writes the launches of a batch before its last op.
mlir::LogicalResult emitUpdate(KernelWriter &writer, const UpdateBatch &batch);

} // namespace nibble::hopper
