// Batches the ops of an optimizer's update, adamw and quantize, so that a few
// launches serve all parameters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

// The buffers of an nn.adamw.
struct OptimizerStep {
  kernel::ComputeOp op;
  mlir::Value gradient, master, moment1, moment2, weight, hyper;
};

// The buffers of a qat.quantize, and the type of its result.
struct WeightQuantization {
  kernel::ComputeOp op;
  mlir::Value weight, bytes;
  qat::PackedType type;
};

// Ops of one block that can run together at the place of the last of them.
// First all of `steps` run in any order, then all of `quantizes` in any order,
// with unchanged results. The steps have the same hyperparameters.
struct UpdateBatch {
  llvm::SmallVector<OptimizerStep> steps;
  llvm::SmallVector<WeightQuantization> quantizes;
  kernel::ComputeOp last;
};

// Puts every nn.adamw and qat.quantize of the module into one batch. A batch
// ends before an op that touches memory that it writes, or writes memory that
// it reads. Reports an error at an op that is malformed.
llvm::FailureOr<llvm::SmallVector<UpdateBatch>>
findUpdateBatches(mlir::ModuleOp module);

// Emits the launches of a batch before its last op.
mlir::LogicalResult emitUpdate(KernelWriter &writer, const UpdateBatch &batch);

} // namespace nibble::device
