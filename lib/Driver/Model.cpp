#include "lib/Driver/Model.h"

#include "lib/Frontend/HuggingFace/Import.h"
#include "runtime/core/file.h"
#include "runtime/formats/model_weights.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

namespace nibble {

Result<std::unique_ptr<Model>> Model::open(const std::string &folder) {
  NIBBLE_ASSIGN(ModelConfig config, ModelConfig::read(folder));
  NIBBLE_ASSIGN(QuantizedCheckpoint checkpoint, QuantizedCheckpoint::open(folder));
  NIBBLE_ASSIGN(WeightReport report, checkWeights(config, checkpoint));
  for (const std::string &warning : report.warnings)
    config.warnings.push_back(warning);
  return std::unique_ptr<Model>(new Model(std::move(config), std::move(checkpoint)));
}

Result<Tensor> Model::read(const std::string &name) {
  NIBBLE_ASSIGN(Tensor tensor, checkpoint_.read(name));
  if (tensor.dtype() == DType::kF32 || tensor.dtype() == DType::kBF16)
    return tensor;
  return convert(tensor, DType::kF32);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::importModule() {
  huggingface::ImportOptions import;
  import.float32 = options_.float32;
  auto module = huggingface::buildModule(session_.context(), config_, import);
  if (!module)
    return session_.failure(Code::kBadInput, "config.json cannot be imported");
  return module;
}

Status ModelCompiler::stage(mlir::ModuleOp module, const std::string &name, const std::string &pipeline) {
  if (!pipeline.empty())
    NIBBLE_TRY(session_.run(module, pipeline).within("stage " + name));
  if (options_.dumpStages.empty())
    return Status::ok();
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return writeFileAtomically(fmt::format("{}/{:02}-{}.mlir", options_.dumpStages, ++dumped_, name), text);
}

Status ModelCompiler::keepEntries(mlir::ModuleOp module, std::initializer_list<const char *> entries) {
  for (auto function : module.getOps<mlir::func::FuncOp>())
    if (!llvm::is_contained(entries, function.getName()))
      function.setPrivate();
  return session_.run(module, "symbol-dce");
}

Result<Program> ModelCompiler::logits() {
  NIBBLE_ASSIGN(auto module, importModule());
  NIBBLE_TRY(stage(*module, "import", ""));
  if (options_.train.quantizes())
    NIBBLE_TRY(stage(*module, "quantize", options_.train.quantizePass()));
  NIBBLE_TRY(keepEntries(*module, {"logits"}));
  return session_.compileForHost(*module, options_.host);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::trainingModule() {
  NIBBLE_ASSIGN(auto module, importModule());
  NIBBLE_TRY(stage(*module, "import", ""));
  if (options_.train.quantizes())
    NIBBLE_TRY(stage(*module, "quantize", options_.train.quantizePass()));
  std::string constants;
  for (const auto &[name, value] : options_.objectiveConstants)
    constants += fmt::format("{}{}={}", constants.empty() ? "" : ",", name, value);
  NIBBLE_TRY(stage(*module, "objective",
                   fmt::format("nibble-attach-objective{{objective={} options={}}}", options_.objective, constants)));
  NIBBLE_TRY(stage(*module, "differentiate", fmt::format("nibble-differentiate{{function=loss recompute={}}}", options_.recompute)));
  NIBBLE_TRY(stage(*module, "update", "nibble-build-update"));
  if (options_.hoist && options_.train.quantizes())
    NIBBLE_TRY(stage(*module, "hoist", "nibble-hoist-quantize"));
  NIBBLE_TRY(keepEntries(*module, {"train_step", "log_probability", "gradient_norm", "update"}));
  NIBBLE_TRY(stage(*module, "fuse", "nibble-fuse"));
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> ModelCompiler::rolloutModule() {
  NIBBLE_ASSIGN(auto module, importModule());
  NIBBLE_TRY(stage(*module, "import", ""));
  if (options_.rollout.quantizes())
    NIBBLE_TRY(stage(*module, "quantize", options_.rollout.quantizePass()));
  NIBBLE_TRY(stage(*module, "rollout", "nibble-derive-rollout"));
  NIBBLE_TRY(keepEntries(*module, {"forward", "sample_log_probability"}));
  NIBBLE_TRY(stage(*module, "fuse", "nibble-fuse"));
  return module;
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
