// Runs a module through the stages of passes/Pipelines.cpp, all or up to one of
// them, and writes each result for reading. Programs are compiled by
// lib/Target, which runs the same stages.
#pragma once

#include "lib/Driver/Session.h"
#include "passes/Pipelines.h"

#include <string>

namespace nibble {

class StageRunner {
public:
  // `dumpStages`: the folder for one numbered file per stage, which is created;
  // empty for none.
  StageRunner(Session &session, StageOptions options, std::string dumpStages)
      : session_(session), options_(std::move(options)),
        dumpStages_(std::move(dumpStages)) {}

  // Runs `stages` in order, up to and including the one called `last`. Runs all
  // when no stage has that name or `last` is empty.
  Status run(mlir::ModuleOp module, llvm::ArrayRef<Stage> stages,
             const std::string &last = "");
  // The same for hostStages or hopperStages. The machine is the module's
  // target, or else a CPU or an H200.
  Status lowerToHost(mlir::ModuleOp module, const HostOptions &host,
                     const std::string &last = "");
  Status lowerToHopper(mlir::ModuleOp module, const std::string &last = "");

private:
  Status dump(mlir::ModuleOp module, const std::string &stage);
  // Runs `set`, which sets the module's target.
  Status setTarget(llvm::function_ref<mlir::LogicalResult()> set);

  Session &session_;
  StageOptions options_;
  std::string dumpStages_;
  int dumped_ = 0;
};

// Usage error that names the stages, when neither `stages` nor a lowering has
// one called `name`.
Status checkStage(const std::string &name, llvm::ArrayRef<Stage> stages);

// The module as text.
std::string textOf(mlir::ModuleOp module);

} // namespace nibble
