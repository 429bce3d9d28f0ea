// nibble-set-target: sets the target of a module by a machine's name.
#include "passes/Target/Passes.h"

#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-set-target"

ALWAYS_ENABLED_STATISTIC(NumSet, "modules that were given a target");

namespace nibble {
#define GEN_PASS_DEF_SETTARGETPASS
#include "passes/Target/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

// Null for the name of an unknown machine.
static Attribute targetNamed(StringRef name, MLIRContext *context) {
  if (findGpuTarget(name))
    return hopper::TargetAttr::get(context, name, /*sms=*/0);
  if (const CpuTarget *cpu = findCpuTarget(name))
    return host::TargetAttr::get(context, *cpu);
  return Attribute();
}

namespace {

class SetTargetPass final
    : public nibble::impl::SetTargetPassBase<SetTargetPass> {
public:
  using SetTargetPassBase::SetTargetPassBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    if (getOperation()->hasAttr(kernel::kTargetAttr))
      return;
    if (Attribute named = targetNamed(target, &getContext())) {
      getOperation()->setAttr(kernel::kTargetAttr, named);
      ++NumSet;
      return;
    }
    InFlightDiagnostic diagnostic = getOperation().emitError();
    diagnostic << "nibble-set-target: no machine is called '" << target
               << "'; known are";
    StringRef separator = " ";
    auto list = [&](std::string_view name) {
      diagnostic << separator << StringRef(name);
      separator = ", ";
    };
    for (const GpuTarget *gpu : kGpuTargets)
      list(gpu->name);
    for (const CpuTarget *cpu : kCpuTargets)
      list(cpu->name);
    signalPassFailure();
  }
};

} // namespace
