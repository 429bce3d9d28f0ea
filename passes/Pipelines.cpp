// The order of lowering. Each stage says why it has its place, and ends with
// its contract, so that a mistake is reported where it was made. The tables at
// the end list all stages; nibble-opt, lib/Driver and lib/Target run their
// rows.
#include "passes/Pipelines.h"

#include "passes/Bufferize/Pipeline.h"
#include "passes/Fuse/Passes.h"
#include "passes/LowerToHopper/Pipeline.h"
#include "passes/LowerToHost/Pipeline.h"
#include "passes/Target/Passes.h"
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

// Functions that nothing outside calls are not part of the program.
static void keepOnly(OpPassManager &pm, ArrayRef<std::string> entries) {
  pm.addPass(createSymbolPrivatizePass(entries));
  pm.addPass(createSymbolDCEPass());
}

static void buildImport(OpPassManager &pm, const StageOptions &) {
  addContract(pm, "import");
}

// First: every later stage must see the weights that the rollout will use.
static void buildQuantize(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createQuantizePass(options.quantize));
  addContract(pm, "quantize");
}

// The objective is part of the forward, so that it is differentiated with it.
static void buildObjective(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createAttachObjectivePass(options.objective));
}

// Before fusing, because gradient rules know the plain ops. fake_quant is still
// there and passes its gradient straight through (N8).
static void buildDifferentiate(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createDifferentiatePass(options.differentiate));
  addContract(pm, "differentiate");
}

// The optimizer update is a function of its own, so that gradients can be
// accumulated over any number of steps before it.
static void buildUpdate(OpPassManager &pm, const StageOptions &) {
  pm.addPass(createBuildUpdatePass());
}

// After the update, which takes over the quantization; before fusing, which
// then sees packed weights in forward and backward.
static void buildHoist(OpPassManager &pm, const StageOptions &options) {
  if (!options.hoist)
    return;
  pm.addPass(createHoistQuantizePass());
  addContract(pm, "hoist");
}

// A rollout is derived from the quantized forward, never from a differentiated
// one. The two functions are compared while both still have their original ops.
static void buildRollout(OpPassManager &pm, const StageOptions &options) {
  pm.addPass(createDeriveRolloutPass(options.rollout));
  // Other choices of weights are ablations, which differ from training on
  // purpose.
  if (options.rollout.weights == "packed") {
    addContract(pm, "rollout");
    if (options.quantize.convention == "nibble")
      pm.addPass(createVerifyConsistencyPass());
  }
}

// Last on tensors: by now the stages before have checked everything that fusing
// hides.
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

// On tensors, where ops still show who reads what: merges launches, chooses the
// layout of packed weights, and rounds gradients for matrix instructions.
static void buildHopperTensors(OpPassManager &pm, const StageOptions &) {
  hopper::buildHopperTensorPipeline(pm);
  addContract(pm, "hopper-tensors");
}

// After all stages that look at values: only memory is left from here on.
static void buildBufferize(OpPassManager &pm, const StageOptions &) {
  buildBufferizePipeline(pm);
  addContract(pm, "bufferize");
}

// Kernels are emitted while the shape of a buffer is still in its type.
static void buildHostLoops(OpPassManager &pm, const StageOptions &options) {
  host::buildHostLoopsPipeline(pm, options.profile);
  addContract(pm, kHostLoops);
}

// Last: only loops and vectors are left, which have counterparts in the LLVM
// dialect.
static void buildLowerToHost(OpPassManager &pm, const StageOptions &) {
  host::buildHostLLVMPipeline(pm);
  addContract(pm, "lower-to-host");
}

// The counterpart of host-loops: functions contain launches, kernels stand
// beside them.
static void buildHopperKernels(OpPassManager &pm, const StageOptions &) {
  hopper::buildHopperKernelsPipeline(pm);
  addContract(pm, kHopperKernels);
}

// Last: functions consist of commands already, so only kernels are lowered
// further.
static void buildLowerToHopper(OpPassManager &pm, const StageOptions &) {
  hopper::buildHopperNVVMPipeline(pm);
  addContract(pm, "lower-to-hopper");
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

static constexpr Stage kHost[] = {{"bufferize", buildBufferize},
                                  {kHostLoops, buildHostLoops},
                                  {"lower-to-host", buildLowerToHost}};

static constexpr Stage kHopper[] = {{"hopper-tensors", buildHopperTensors},
                                    {"bufferize", buildBufferize},
                                    {kHopperKernels, buildHopperKernels},
                                    {"lower-to-hopper", buildLowerToHopper}};

ArrayRef<Stage> nibble::logitsStages() { return kLogits; }
ArrayRef<Stage> nibble::trainingStages() { return kTraining; }
ArrayRef<Stage> nibble::rolloutStages() { return kRollout; }
ArrayRef<Stage> nibble::hostStages() { return kHost; }
ArrayRef<Stage> nibble::hopperStages() { return kHopper; }

bool nibble::hasStage(ArrayRef<Stage> stages, StringRef name) {
  return llvm::any_of(stages,
                      [&](const Stage &stage) { return stage.name == name; });
}

std::pair<ArrayRef<Stage>, ArrayRef<Stage>>
nibble::splitBehind(ArrayRef<Stage> stages, StringRef name) {
  assert(hasStage(stages, name) && "a table lost one of its rows");
  size_t count = 0;
  while (stages[count++].name != name)
    ;
  return {stages.take_front(count), stages.drop_front(count)};
}

void nibble::buildStages(OpPassManager &pm, ArrayRef<Stage> stages,
                         const StageOptions &options) {
  for (const Stage &stage : stages)
    stage.build(pm, options);
}

namespace {

// The options that a command line is likely to set. The flag of each stage
// takes all of them.
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

// The target of a module that has none. It is a known machine, not the one that
// nibble-opt runs on, so that the output is the same everywhere.
static void addTarget(OpPassManager &pm, std::string_view name) {
  SetTargetPassOptions options;
  options.target = std::string(name);
  pm.addPass(createSetTargetPass(options));
}

void nibble::registerStagePipelines() {
  PassPipelineRegistration<PipelineOptions>(
      "nibble-training",
      "An imported model to its training program, on tensors",
      [](OpPassManager &pm, const PipelineOptions &options) {
        buildStages(pm, trainingStages(), options.stageOptions());
      });
  PassPipelineRegistration<PipelineOptions>(
      "nibble-rollout", "An imported model to its rollout program, on tensors",
      [](OpPassManager &pm, const PipelineOptions &options) {
        buildStages(pm, rolloutStages(), options.stageOptions());
      });
  registerBufferizePipeline();
  PassPipelineRegistration<>(
      "nibble-host-loops",
      "Tensors to loops over buffers, kernels written "
      "(first half of lower-to-host)",
      [](OpPassManager &pm) {
        addTarget(pm, kAvx2.name);
        buildStages(pm, splitBehind(hostStages(), kHostLoops).first);
      });
  PassPipelineRegistration<>("nibble-lower-to-host",
                             "Tensors to the LLVM dialect for a CPU",
                             [](OpPassManager &pm) {
                               addTarget(pm, kAvx2.name);
                               buildStages(pm, hostStages());
                             });
  PassPipelineRegistration<>(
      "nibble-hopper-kernels",
      "Tensors to launches and kernels of the hopper "
      "dialect (first half of lower-to-hopper)",
      [](OpPassManager &pm) {
        addTarget(pm, kH200.name);
        buildStages(pm, splitBehind(hopperStages(), kHopperKernels).first);
      });
  PassPipelineRegistration<>(
      "nibble-lower-to-hopper",
      "Tensors to launches and kernels of the nvvm dialect",
      [](OpPassManager &pm) {
        addTarget(pm, kH200.name);
        buildStages(pm, hopperStages());
      });
}
