// Imports a model and runs it through the stages of training or rollout.
#include "lib/Driver/ModelCompiler.h"

#include "lib/Driver/Stages.h"
#include "lib/Frontend/HuggingFace/Import.h"
#include "runtime/bundle/device/device_backend.h"
#include "runtime/bundle/device/plan_device.h"

#include <fmt/format.h>

namespace nibble {

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::importModule() {
  huggingface::ImportOptions import;
  import.float32 = options_.float32;
  auto module = huggingface::buildModule(session_.context(), config_, import);
  if (!module)
    return session_.failure(Code::kBadInput, "config.json cannot be imported");
  return module;
}

StageOptions ProgramOptions::stageOptions(const Recipe &recipe) const {
  StageOptions stages;
  stages.quantize = recipe.passOptions();
  stages.objective.objective = objective;
  for (const auto &[name, value] : objectiveConstants)
    stages.objective.settings += fmt::format(
        "{}{}={}", stages.objective.settings.empty() ? "" : ",", name, value);
  stages.differentiate.recompute = recompute;
  stages.hoist = hoist;
  stages.rollout.sample = residence != nullptr;
  return stages;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
ModelCompiler::runStages(llvm::ArrayRef<Stage> stages, const Recipe &recipe) {
  if (recipe.selects())
    if (auto selected = selectTensors(recipe, config_); !selected.isOk())
      return std::move(selected).takeStatus();
  NIBBLE_ASSIGN(auto module, importModule());
  NIBBLE_TRY(StageRunner(session_, options_.stageOptions(recipe), "")
                 .run(*module, stages));
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::trainingModule() {
  return runStages(trainingStages(), options_.train);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::rolloutModule() {
  return runStages(rolloutStages(), options_.rollout);
}

Result<Program>
ModelCompiler::compile(Result<mlir::OwningOpRef<mlir::ModuleOp>> module) {
  if (!module.isOk())
    return std::move(module).takeStatus();
  if (!options_.residence)
    return session_.compileForHost(**module, options_.host);
  NIBBLE_ASSIGN(DeviceProgram program, session_.compileForDevice(**module));
  return loadDeviceProgram(std::move(program), options_.residence);
}

Result<Program> ModelCompiler::logits() {
  return compile(runStages(logitsStages(), options_.train));
}
Result<Program> ModelCompiler::training() { return compile(trainingModule()); }
Result<Program> ModelCompiler::rollout() { return compile(rolloutModule()); }

Result<std::shared_ptr<DeviceResidence>>
openResidence(const std::string &target, bool planOnly) {
  if (target == "host")
    return std::shared_ptr<DeviceResidence>();
  NIBBLE_ASSIGN(std::shared_ptr<Device> device,
                planOnly ? openPlanDevice(target) : openDevice(target));
  return std::make_shared<DeviceResidence>(std::move(device));
}

} // namespace nibble
