#include "lib/Driver/Model.h"

#include "lib/Driver/Stages.h"
#include "lib/Frontend/HuggingFace/Import.h"

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
    stages.objective.settings += fmt::format("{}{}={}", stages.objective.settings.empty() ? "" : ",", name, value);
  stages.differentiate.recompute = recompute;
  stages.hoist = hoist;
  return stages;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::runStages(llvm::ArrayRef<Stage> stages, const Recipe &recipe) {
  NIBBLE_ASSIGN(auto module, importModule());
  NIBBLE_TRY(StageRunner(session_, options_.stageOptions(recipe), "").run(*module, stages));
  return module;
}

Result<Program> ModelCompiler::logits() {
  NIBBLE_ASSIGN(auto module, runStages(logitsStages(), options_.train));
  return session_.compileForHost(*module, options_.host);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::trainingModule() {
  return runStages(trainingStages(), options_.train);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::rolloutModule() {
  return runStages(rolloutStages(), options_.rollout);
}

Result<Program> ModelCompiler::training() {
  NIBBLE_ASSIGN(auto module, trainingModule());
  return session_.compileForHost(*module, options_.host);
}

Result<Program> ModelCompiler::rollout() {
  NIBBLE_ASSIGN(auto module, rolloutModule());
  return session_.compileForHost(*module, options_.host);
}

} // namespace nibble
