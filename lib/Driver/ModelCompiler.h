// Compiles the programs of a model: logits, training and rollout.
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
  // What each half quantizes; they differ only in ablations.
  Recipe train, rollout;
  // Quantize in the optimizer update instead of in every forward.
  bool hoist = true;
  // "layer", or "none": keep what the backward pass needs.
  std::string recompute = "layer";
  // Name of a built-in objective, or the path of an MLIR file.
  std::string objective = "grpo";
  // clip_low, kl_coefficient, ...
  std::map<std::string, double> objectiveConstants;
  HostOptions host;
  // Where the programs run; null is the host. Programs that share weights get
  // the same residence.
  std::shared_ptr<DeviceResidence> residence;

  StageOptions stageOptions(const Recipe &recipe) const;
};

// Where programs for "cuda" or "simt" run; null for "host". With `planOnly`
// nothing runs and no device is needed (runtime/bundle/device/plan_device.h).
// Errors are those of openDevice.
Result<std::shared_ptr<DeviceResidence>>
openResidence(const std::string &target, bool planOnly = false);

// The pipelines of one model. Each call imports the model again, because
// compilation consumes a program's module.
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

  // The modules of training() and rollout() before they are lowered.
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
