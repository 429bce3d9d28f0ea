// Runs the stages one after the other and, where asked, writes the module after
// each.
#include "lib/Driver/Stages.h"

#include "lib/Target/Host/Machine.h"
#include "lib/Target/NVPTX/Compile.h"
#include "runtime/core/file.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

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

Status checkStage(const std::string &name, llvm::ArrayRef<Stage> stages) {
  std::vector<std::string> known;
  for (llvm::ArrayRef<Stage> table : {stages, hostStages(), hopperStages()})
    for (const Stage &stage : table)
      if (!llvm::is_contained(known, stage.name.str()))
        known.push_back(stage.name.str());
  if (llvm::is_contained(known, name))
    return Status::ok();
  return Status::usage(
      fmt::format("stage '{}' is not one of this program's: {}; "
                  "choose one of them",
                  name, fmt::join(known, ", ")));
}

Status StageRunner::run(mlir::ModuleOp module, llvm::ArrayRef<Stage> stages,
                        const std::string &last) {
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

Status StageRunner::setTarget(llvm::function_ref<mlir::LogicalResult()> set) {
  return succeeded(set())
             ? Status::ok()
             : session_.failure(Code::kBadInput, "the target is unknown");
}

Status StageRunner::lowerToHost(mlir::ModuleOp module, const HostOptions &host,
                                const std::string &last) {
  NIBBLE_TRY(host.check());
  NIBBLE_TRY(setTarget([&] { return host::setTarget(module, host.cpu); }));
  return run(module, hostStages(), last);
}

Status StageRunner::lowerToHopper(mlir::ModuleOp module,
                                  const std::string &last) {
  NIBBLE_TRY(setTarget([&] { return nvptx::setTarget(module); }));
  return run(module, hopperStages(), last);
}

} // namespace nibble
