// The order of the stages, from an imported module to what a target's backend
// translates.
#pragma once

#include "passes/Differentiate/Passes.h"
#include "passes/Quantize/Passes.h"
#include "passes/Rollout/Passes.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <utility>

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
  bool profile = false; // times each kernel of a host program
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

// What follows on each target, for the machine in the module's kernel.target.
// From tensors over buffers and loops to the LLVM dialect with OpenMP regions.
llvm::ArrayRef<Stage> hostStages();
// From tensors over buffers to commands and kernels of llvm and nvvm.
llvm::ArrayRef<Stage> hopperStages();

// Behind these stages lib/Target reads the functions of a program, whose
// tensors are buffers by then and whose kernels are calls or launches.
inline constexpr llvm::StringLiteral kHostLoops = "host-loops";
inline constexpr llvm::StringLiteral kHopperKernels = "hopper-kernels";

// The stages up to and with `name`, and those behind it. A stage of that name
// is among them.
std::pair<llvm::ArrayRef<Stage>, llvm::ArrayRef<Stage>>
splitBehind(llvm::ArrayRef<Stage> stages, llvm::StringRef name);
// Whether one of them has that name.
bool hasStage(llvm::ArrayRef<Stage> stages, llvm::StringRef name);

// Adds all of them, in their order.
void buildStages(mlir::OpPassManager &pm, llvm::ArrayRef<Stage> stages,
                 const StageOptions &options = {});

// --nibble-training, --nibble-rollout, --nibble-lower-to-host and
// --nibble-lower-to-hopper: all stages of each.
void registerStagePipelines();

} // namespace nibble
