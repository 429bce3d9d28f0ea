// Runs the stages one after the other and writes the module after each where
// asked.
#include "lib/Driver/Stages.h"

#include "lib/Target/Host/Machine.h"
#include "passes/Bufferize/Pipeline.h"
#include "passes/LowerToHost/Pipeline.h"
#include "passes/Verify/Passes.h"
#include "runtime/core/file.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

namespace nibble {

std::string textOf(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text;
}

Status StageRunner::dump(mlir::ModuleOp module, const std::string &stage) {
  if (dumpStages_.empty())
    return Status::ok();
  NIBBLE_TRY(makeFolders(dumpStages_));
  return writeFileAtomically(
      fmt::format("{}/{:02}-{}.mlir", dumpStages_, ++dumped_, stage),
      textOf(module));
}

Status StageRunner::run(mlir::ModuleOp module, llvm::ArrayRef<Stage> stages,
                        const std::string &last) {
  if (!last.empty() && last != kLowerToHost && last != kLowerToHopper &&
      llvm::none_of(stages,
                    [&](const Stage &stage) { return stage.name == last; })) {
    std::string known;
    for (const Stage &stage : stages)
      known += stage.name.str() + ", ";
    return Status::usage(fmt::format(
        "stage '{}' is not one of this program's: {}{}, {}; choose one of them",
        last, known, kLowerToHost, kLowerToHopper));
  }
  for (const Stage &stage : stages) {
    std::string name = stage.name.str();
    NIBBLE_TRY(
        session_
            .run(module, name,
                 [&](mlir::OpPassManager &pm) { stage.build(pm, options_); })
            .within("stage " + name));
    NIBBLE_TRY(dump(module, name));
    if (name == last)
      break;
  }
  return Status::ok();
}

Status StageRunner::lower(mlir::ModuleOp module, const HostOptions &host) {
  host::MachineModel machine = host::describeCpu(host.cpu).machine;
  auto build = [&](mlir::OpPassManager &pm) {
    buildBufferizePipeline(pm);
    host::buildHostLoopsPipeline(pm, machine);
    host::buildHostLLVMPipeline(pm, machine);
    VerifyStagePassOptions contract;
    contract.stage = kLowerToHost;
    pm.addPass(createVerifyStagePass(contract));
  };
  NIBBLE_TRY(session_.run(module, kLowerToHost, build)
                 .within(std::string("stage ") + kLowerToHost));
  return dump(module, kLowerToHost);
}

Status StageRunner::lowerToHopper(mlir::ModuleOp module) {
  auto build = [&](mlir::OpPassManager &pm) {
    buildLowerToHopperPipeline(pm);
    VerifyStagePassOptions contract;
    contract.stage = kLowerToHopper;
    pm.addPass(createVerifyStagePass(contract));
  };
  NIBBLE_TRY(session_.run(module, kLowerToHopper, build)
                 .within(std::string("stage ") + kLowerToHopper));
  return dump(module, kLowerToHopper);
}

} // namespace nibble
