// Finds the name and the features of the CPU.
#include "lib/Target/Host/Machine.h"

#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"

#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/TargetParser/Triple.h"

#include <unistd.h>

using namespace llvm;

// Instructions whose results break the rules of docs/numerics.md, or that would
// mix two ways of rounding.
static constexpr StringLiteral kForbidden[] = {"avx512bf16", "avxneconvert",
                                               "amx-bf16",   "amx-tile",
                                               "amx-int8",   "avx512fp16"};

static int64_t cacheBytes(int name, int64_t otherwise) {
  long bytes = sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

nibble::host::Cpu nibble::host::describeCpu(StringRef name) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  Cpu cpu;
  SubtargetFeatures features;
  if (name == "host") {
    name = sys::getHostCPUName();
    for (const auto &feature : sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
  }
  for (StringRef feature : kForbidden)
    features.AddFeature(feature, false);
  cpu.features = features.getString();

  std::string error;
  Triple triple(sys::getProcessTriple());
  bool wide = false;
  if (const Target *target = TargetRegistry::lookupTarget(triple, error)) {
    std::unique_ptr<MCSubtargetInfo> info(
        target->createMCSubtargetInfo(triple, name, cpu.features));
    wide = info && info->checkFeatures("+avx512f") &&
           info->checkFeatures("+avx512bw") && info->checkFeatures("+avx512vl");
  }
  cpu.target = wide ? kAvx512 : kAvx2;
  cpu.target.name = name.str();
  cpu.target.l1Bytes = cacheBytes(_SC_LEVEL1_DCACHE_SIZE, cpu.target.l1Bytes);
  cpu.target.l2Bytes = cacheBytes(_SC_LEVEL2_CACHE_SIZE, cpu.target.l2Bytes);
  return cpu;
}

bool nibble::host::isCpu(StringRef name) {
  if (name == "host")
    return true;
  InitializeNativeTarget();
  std::string error;
  Triple triple(sys::getProcessTriple());
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target || name.empty())
    return false;
  auto infoOf = [&](StringRef cpu) {
    return std::unique_ptr<MCSubtargetInfo>(
        target->createMCSubtargetInfo(triple, cpu, ""));
  };
  // Asked for a CPU that it does not know, LLVM prints what it thinks of it.
  auto any = infoOf("");
  return any && any->isCPUStringValid(name) &&
         infoOf(name)->checkFeatures("+64bit");
}

mlir::FailureOr<nibble::host::Cpu>
nibble::host::setTarget(mlir::ModuleOp module, StringRef name) {
  module.getContext()->getOrLoadDialect<HostDialect>();
  if (!module->hasAttr(kernel::kTargetAttr)) {
    Cpu cpu = describeCpu(name);
    module->setAttr(kernel::kTargetAttr,
                    TargetAttr::get(module.getContext(), cpu.target));
    return cpu;
  }
  auto given = kernel::targetOf<TargetAttr>(module);
  if (failed(given))
    return mlir::failure();
  // A name implies features that this machine may lack, in a virtual machine
  // for instance. So a module for this very machine gets the machine's own.
  Cpu cpu = describeCpu(name);
  if (cpu.target != given->getFacts())
    cpu = describeCpu(given->getCpu());
  cpu.target = given->getFacts();
  return cpu;
}
