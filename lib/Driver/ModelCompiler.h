// The programs that are made of a checkpoint.
#pragma once

#include "lib/Driver/Recipe.h"
#include "lib/Driver/Session.h"
#include "passes/Pipelines.h"
#include "runtime/bundle/device/device_residence.h"
#include "runtime/formats/model/model_config.h"
#include "runtime/train/model.h"

#include <map>
#include <string>

namespace nibble {

struct ProgramOptions {
  bool float32 = false; // element type of weights and activations
  Recipe train,
      rollout; // what each half quantizes; they differ only in ablations
  bool hoist =
      true; // quantize in the optimizer update instead of in every forward
  std::string recompute = "layer"; // or "none": keep what the backward needs
  std::string objective =
      "grpo"; // name of a built-in objective, or the path of an MLIR file
  std::map<std::string, double>
      objectiveConstants; // clip_low, kl_coefficient, ...
  HostOptions host;
  // Where the programs run; programs that share weights get the same one. Null:
  // on the host.
  std::shared_ptr<DeviceResidence> residence;

  StageOptions stageOptions(const Recipe &recipe) const;
};

// A place for programs on "cuda" or "simt"; null for "host". With `planOnly` a
// place where nothing runs and that needs no device
// (runtime/bundle/device/plan_device.h). Errors as of openDevice.
Result<std::shared_ptr<DeviceResidence>>
openResidence(const std::string &target, bool planOnly = false);

// The pipelines of one model. Each call imports anew: a program's module is
// consumed by its compilation.
class ModelCompiler {
public:
  ModelCompiler(Session &session, const ModelConfig &config,
                ProgramOptions options)
      : session_(session), config_(config), options_(std::move(options)) {}

  // The module as imported.
  Result<mlir::OwningOpRef<mlir::ModuleOp>> importModule();
  // `logits`, quantized by the recipe of training.
  Result<Program> logits();
  // `train_step`, `log_probability`, `gradient_norm`, `update`.
  Result<Program> training();
  // `forward`, `sample_log_probability`; on a device also `sample`.
  Result<Program> rollout();

  // The modules behind the last two, before lower-to-host.
  Result<mlir::OwningOpRef<mlir::ModuleOp>> trainingModule();
  Result<mlir::OwningOpRef<mlir::ModuleOp>> rolloutModule();

private:
  Result<Program> compile(Result<mlir::OwningOpRef<mlir::ModuleOp>> module);
  Result<mlir::OwningOpRef<mlir::ModuleOp>>
  runStages(llvm::ArrayRef<Stage> stages, const Recipe &recipe);

  Session &session_;
  const ModelConfig &config_;
  ProgramOptions options_;
};

} // namespace nibble
