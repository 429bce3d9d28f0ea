// The ops of an optimizer's update, adamw and quantize, gathered: a few
// launches for all parameters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

// The buffers of an nn.adamw.
struct OptimizerStep {
  kernel::ComputeOp op;
  mlir::Value gradient, master, moment1, moment2, weight, hyper;
};

// The buffers of a qat.quantize, and the type of what it makes.
struct WeightQuantization {
  kernel::ComputeOp op;
  mlir::Value weight, bytes;
  qat::PackedType type;
};

// Ops of one block that give the same when all of `steps`, in any order, and
// then all of `quantizes`, in any order, run where the last of them stands. The
// steps have the same hyperparameters.
struct UpdateBatch {
  llvm::SmallVector<OptimizerStep> steps;
  llvm::SmallVector<WeightQuantization> quantizes;
  kernel::ComputeOp last;
};

// Every nn.adamw and qat.quantize of the module, each in one batch; a batch
// ends before an op that touches what one of its ops writes, or writes what one
// of them reads. Error, reported at the op, for one that is no such op.
llvm::FailureOr<llvm::SmallVector<UpdateBatch>>
findUpdateBatches(mlir::ModuleOp module);

// Writes the launches of a batch before its last op.
mlir::LogicalResult emitUpdate(KernelWriter &writer, const UpdateBatch &batch);

} // namespace nibble::device
