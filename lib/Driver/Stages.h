// A module through the stages of passes/Pipelines.cpp, to the end or to one of
// them, each result written for reading. What is compiled is lowered by
// lib/Target itself, by the same stages.
#pragma once

#include "lib/Driver/Session.h"
#include "passes/Pipelines.h"

#include <string>

namespace nibble {

class StageRunner {
public:
  // `dumpStages`: folder for one numbered file a stage, made when it is not
  // there; empty: none.
  StageRunner(Session &session, StageOptions options, std::string dumpStages)
      : session_(session), options_(std::move(options)),
        dumpStages_(std::move(dumpStages)) {}

  // Runs `stages` in their order, up to and with the one called `last`; when
  // none is, or `last` is empty: all.
  Status run(mlir::ModuleOp module, llvm::ArrayRef<Stage> stages,
             const std::string &last = "");
  // hostStages or hopperStages likewise, for the machine that the module says
  // it is for, or else for a CPU or an H200.
  Status lowerToHost(mlir::ModuleOp module, const HostOptions &host,
                     const std::string &last = "");
  Status lowerToHopper(mlir::ModuleOp module, const std::string &last = "");

private:
  Status dump(mlir::ModuleOp module, const std::string &stage);
  // Runs `set`, which gives the module its target.
  Status setTarget(llvm::function_ref<mlir::LogicalResult()> set);

  Session &session_;
  StageOptions options_;
  std::string dumpStages_;
  int dumped_ = 0;
};

// Usage error naming the stages when none of `stages` nor of a lowering is
// called `name`.
Status checkStage(const std::string &name, llvm::ArrayRef<Stage> stages);

// The module as text.
std::string textOf(mlir::ModuleOp module);

} // namespace nibble
