// The order of the stages, from an imported module to the two that are lowered.
#pragma once

#include "passes/Differentiate/Passes.h"
#include "passes/Quantize/Passes.h"
#include "passes/Rollout/Passes.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir {
class OpPassManager;
}

namespace nibble {

// What the stages can be told; each is the option of the pass that does the
// work.
struct StageOptions {
  QuantizePassOptions quantize; // scheme "none": nothing is quantized
  AttachObjectivePassOptions objective;
  DifferentiatePassOptions differentiate;
  bool hoist = true; // quantize in the update instead of in every forward
  DeriveRolloutPassOptions rollout;
};

// One step of the way, ending with its contract. `name` is that of the numbered
// file it leaves with --dump-stages.
struct Stage {
  llvm::StringLiteral name;
  void (*build)(mlir::OpPassManager &pm, const StageOptions &options);
};

// The imported @logits, quantized.
llvm::ArrayRef<Stage> logitsStages();
// From the imported @logits to @train_step and what belongs to it.
llvm::ArrayRef<Stage> trainingStages();
// From the imported @logits to @forward and @sample_log_probability, and
// @sample where the rollout has it.
llvm::ArrayRef<Stage> rolloutStages();

// From tensors to commands over buffers and kernels of nvvm: what follows the
// last stage on an H200.
void buildLowerToHopperPipeline(mlir::OpPassManager &pm);

// --nibble-training and --nibble-rollout: all stages of one half.
void registerStagePipelines();

} // namespace nibble
