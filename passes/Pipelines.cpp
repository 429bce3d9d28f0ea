// THE order of lowering. Each stage says why it stands where it stands and ends
// with its contract, so that a mistake is reported where it was made. What
// follows the last stage is bufferize, then the lowering to one of the targets
// (passes/LowerToHost/Pipeline.cpp, passes/LowerToHopper/Pipeline.cpp).
#include "passes/Pipelines.h"

#include "passes/Bufferize/Pipeline.h"
#include "passes/Fuse/Passes.h"
#include "passes/LowerToHopper/Pipeline.h"
#include "passes/LowerToHost/Pipeline.h"
#include "passes/Verify/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace nibble;

static void addContract(OpPassManager &pm, StringRef stage) {
  VerifyStagePassOptions options;
  options.stage = stage.str();
  pm.addPass(createVerifyStagePass(options));
}

// Functions that nobody outside calls are not part of the program.
static void keepOnly(OpPassManager &pm, ArrayRef<std::string> entries) {
  pm.addPass(createSymbolPrivatizePass(entries));
  pm.addPass(createSymbolDCEPass());
}

static void buildImport(OpPassManager &pm, const StageOptions &) {
  addContract(pm, "import");
}

// First of all: everything later must see the weight that the rollout will use.
static void buildQuantize(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createQuantizePass(options.quantize));
  addContract(pm, "quantize");
}

// The objective is part of the forward: it is differentiated with the rest.
static void buildObjective(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createAttachObjectivePass(options.objective));
}

// Before fusing: gradient rules know the plain ops. fake_quant is still there
// and passes its gradient straight through (N8).
static void buildDifferentiate(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createDifferentiatePass(options.differentiate));
  addContract(pm, "differentiate");
}

// The optimizer update is a function of its own, so that gradients can be
// accumulated over any number of steps before it.
static void buildUpdate(OpPassManager &pm, const StageOptions &) {
  pm.addPass(createBuildUpdatePass());
}

// Behind the update, which must exist to take the quantization; before fusing,
// which then sees packed weights in forward and backward.
static void buildHoist(OpPassManager &pm, const StageOptions &options) {
  if (!options.hoist)
    return;
  pm.addPass(createHoistQuantizePass());
  addContract(pm, "hoist");
}

// A rollout is derived from the quantized forward, never from a differentiated
// one: the pair is compared while both still have the ops that they were
// written with.
static void buildRollout(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createDeriveRolloutPass(options.rollout));
  // Another choice of weights is an ablation, which differs from its training
  // on purpose.
  if (options.rollout.weights == "packed") {
    addContract(pm, "rollout");
    if (options.quantize.convention == "nibble")
      pm.addPass(createVerifyConsistencyPass());
  }
}

// Last on tensors: everything that fusing hides from the stages above has been
// looked at by then.
static void buildFuse(OpPassManager &pm) {
  pm.addPass(createFusePass());
  addContract(pm, "fuse");
}

static void buildTrainingFuse(OpPassManager &pm, const StageOptions &) {
  keepOnly(pm, {"train_step", "log_probability", "gradient_norm", "update"});
  buildFuse(pm);
}

static void buildRolloutFuse(OpPassManager &pm, const StageOptions &) {
  keepOnly(pm, {"forward", "sample_log_probability", "sample"});
  buildFuse(pm);
}

static void buildLogitsFuse(OpPassManager &pm, const StageOptions &) {
  keepOnly(pm, {"logits"});
  buildFuse(pm);
}

static constexpr Stage kLogits[] = {{"import", buildImport},
                                    {"quantize", buildQuantize},
                                    {"fuse", buildLogitsFuse}};

static constexpr Stage kTraining[] = {
    {"import", buildImport},       {"quantize", buildQuantize},
    {"objective", buildObjective}, {"differentiate", buildDifferentiate},
    {"update", buildUpdate},       {"hoist", buildHoist},
    {"fuse", buildTrainingFuse}};

static constexpr Stage kRollout[] = {{"import", buildImport},
                                     {"quantize", buildQuantize},
                                     {"rollout", buildRollout},
                                     {"fuse", buildRolloutFuse}};

ArrayRef<Stage> nibble::logitsStages() { return kLogits; }
ArrayRef<Stage> nibble::trainingStages() { return kTraining; }
ArrayRef<Stage> nibble::rolloutStages() { return kRollout; }

namespace {

// The options that a command line is likely to set; each stage's own flag takes
// all of them.
struct PipelineOptions : PassPipelineOptions<PipelineOptions> {
  ListOption<std::string> include{*this, "include",
                                  llvm::cl::desc("what to quantize")};
  ListOption<std::string> exclude{*this, "exclude",
                                  llvm::cl::desc("what not to")};
  Option<bool> defaultExclude{
      *this, "default-exclude",
      llvm::cl::desc("leave lm_head and embed_tokens out as well"),
      llvm::cl::init(true)};
  Option<bool> strict{
      *this, "strict",
      llvm::cl::desc("what is named and stays in full precision is an error"),
      llvm::cl::init(false)};
  Option<std::string> scheme{*this, "scheme",
                             llvm::cl::desc("a scheme, or none"),
                             llvm::cl::init("int4")};
  Option<int64_t> groupSize{*this, "group-size",
                            llvm::cl::desc("elements that share a scale"),
                            llvm::cl::init(32)};
  Option<std::string> convention{*this, "convention",
                                 llvm::cl::desc("whose rule of rounding"),
                                 llvm::cl::init("nibble")};
  Option<std::string> objective{*this, "objective",
                                llvm::cl::desc("objective to train by"),
                                llvm::cl::init("sft")};
  Option<bool> hoist{*this, "hoist",
                     llvm::cl::desc("quantize once per step, in the update"),
                     llvm::cl::init(true)};
  Option<std::string> weights{
      *this, "weights",
      llvm::cl::desc("of a rollout: packed, dequantized, unquantized"),
      llvm::cl::init("packed")};

  StageOptions stageOptions() const {
    StageOptions options;
    options.quantize.include = {include.begin(), include.end()};
    options.quantize.exclude = {exclude.begin(), exclude.end()};
    options.quantize.defaultExclude = defaultExclude;
    options.quantize.strict = strict;
    options.quantize.scheme = scheme;
    options.quantize.groupSize = groupSize;
    options.quantize.convention = convention;
    options.objective.objective = objective;
    options.rollout.weights = weights;
    options.hoist = hoist;
    return options;
  }
};

} // namespace

static void buildAll(OpPassManager &pm, ArrayRef<Stage> stages,
                     const StageOptions &options) {
  for (const Stage &stage : stages)
    stage.build(pm, options);
}

void nibble::buildLowerToHopperPipeline(OpPassManager &pm) {
  hopper::buildHopperTensorPipeline(pm);
  buildBufferizePipeline(pm);
  hopper::buildHopperKernelsPipeline(pm);
  hopper::buildHopperNVVMPipeline(pm);
}

void nibble::registerStagePipelines() {
  PassPipelineRegistration<PipelineOptions>(
      "nibble-training",
      "An imported model to its training program, on tensors",
      [](OpPassManager &pm, const PipelineOptions &options) {
        buildAll(pm, trainingStages(), options.stageOptions());
      });
  PassPipelineRegistration<PipelineOptions>(
      "nibble-rollout", "An imported model to its rollout program, on tensors",
      [](OpPassManager &pm, const PipelineOptions &options) {
        buildAll(pm, rolloutStages(), options.stageOptions());
      });
  registerBufferizePipeline();
  PassPipelineRegistration<>("nibble-host-loops",
                             "Tensors to loops over buffers, kernels written "
                             "(first half of lower-to-host)",
                             [](OpPassManager &pm) {
                               buildBufferizePipeline(pm);
                               host::buildHostLoopsPipeline(
                                   pm, host::MachineModel());
                             });
  PassPipelineRegistration<>(
      "nibble-lower-to-host", "Tensors to the LLVM dialect for a CPU",
      [](OpPassManager &pm) {
        buildBufferizePipeline(pm);
        host::buildHostLoopsPipeline(pm, host::MachineModel());
        host::buildHostLLVMPipeline(pm, host::MachineModel());
      });
  PassPipelineRegistration<>("nibble-hopper-kernels",
                             "Tensors to launches and kernels of the hopper "
                             "dialect (first half of lower-to-hopper)",
                             [](OpPassManager &pm) {
                               hopper::buildHopperTensorPipeline(pm);
                               buildBufferizePipeline(pm);
                               hopper::buildHopperKernelsPipeline(pm);
                             });
  PassPipelineRegistration<>(
      "nibble-lower-to-hopper",
      "Tensors to launches and kernels of the nvvm dialect",
      [](OpPassManager &pm) { buildLowerToHopperPipeline(pm); });
}
