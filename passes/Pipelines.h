// The order of the stages, from an imported module to the code that a target's
// backend translates.
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

// Options of the stages. Each is the option struct of the pass that does the
// work.
struct StageOptions {
  QuantizePassOptions quantize; // the scheme "none" quantizes nothing
  AttachObjectivePassOptions objective;
  DifferentiatePassOptions differentiate;
  bool hoist = true; // quantize in the update instead of in every forward
  DeriveRolloutPassOptions rollout;
  bool profile = false; // times each kernel of a host program
};

// One stage, which ends with its contract. `name` also names the numbered file
// that --dump-stages writes.
struct Stage {
  llvm::StringLiteral name;
  void (*build)(mlir::OpPassManager &pm, const StageOptions &options);
};

// From the imported @logits to a quantized one.
llvm::ArrayRef<Stage> logitsStages();
// From the imported @logits to @train_step and its companions.
llvm::ArrayRef<Stage> trainingStages();
// From the imported @logits to @forward and @sample_log_probability, and to
// @sample when the rollout has it.
llvm::ArrayRef<Stage> rolloutStages();

// The stages of each target. They read the machine from the module's
// kernel.target.
//
// From tensors through buffers and loops to the LLVM dialect with OpenMP
// regions.
llvm::ArrayRef<Stage> hostStages();
// From tensors through buffers to commands, and kernels of llvm and nvvm.
llvm::ArrayRef<Stage> hopperStages();

// After these stages lib/Target reads the functions of a program. Their tensors
// are buffers by then, and their kernels are calls or launches.
inline constexpr llvm::StringLiteral kHostLoops = "host-loops";
inline constexpr llvm::StringLiteral kHopperKernels = "hopper-kernels";

// The stages up to and including `name`, and those after it. There must be a
// stage of that name.
std::pair<llvm::ArrayRef<Stage>, llvm::ArrayRef<Stage>>
splitBehind(llvm::ArrayRef<Stage> stages, llvm::StringRef name);
// Whether one of `stages` has that name.
bool hasStage(llvm::ArrayRef<Stage> stages, llvm::StringRef name);

// Adds all of `stages` in order.
void buildStages(mlir::OpPassManager &pm, llvm::ArrayRef<Stage> stages,
                 const StageOptions &options = {});

// --nibble-training, --nibble-rollout, --nibble-lower-to-host and
// --nibble-lower-to-hopper: all stages of each.
void registerStagePipelines();

} // namespace nibble
