// A module through the stages of passes/Pipelines.cpp, to the end or to one of
// them, each result written for reading.
#pragma once

#include "lib/Driver/Session.h"
#include "passes/Pipelines.h"

#include <string>

namespace nibble {

// The last stages before machine code, one for each target. They work on a
// copy: what is compiled is lowered by the compiler itself.
inline constexpr const char *kLowerToHost = "lower-to-host";
inline constexpr const char *kLowerToHopper = "lower-to-hopper";

class StageRunner {
public:
  // `dumpStages`: folder for one numbered file a stage, made when it is not
  // there; empty: none.
  StageRunner(Session &session, StageOptions options, std::string dumpStages)
      : session_(session), options_(std::move(options)),
        dumpStages_(std::move(dumpStages)) {}

  // Runs `stages` in their order, up to and with the one called `last`; empty:
  // all. Usage error naming the stages when none is.
  Status run(mlir::ModuleOp module, llvm::ArrayRef<Stage> stages,
             const std::string &last = "");
  // Stage lower-to-host or lower-to-hopper, with its contract.
  Status lower(mlir::ModuleOp module, const HostOptions &host);
  Status lowerToHopper(mlir::ModuleOp module);

private:
  Status dump(mlir::ModuleOp module, const std::string &stage);

  Session &session_;
  StageOptions options_;
  std::string dumpStages_;
  int dumped_ = 0;
};

// The module as text.
std::string textOf(mlir::ModuleOp module);

} // namespace nibble
