// Translates kernels to PTX and host functions to commands.
#include "lib/Target/NVPTX/Compile.h"

#include "dialects/Hopper/Hopper.h"
#include "dialects/Kernel/Kernel.h"
#include "lib/Target/FirstError.h"
#include "lib/Target/Optimizer.h"
#include "lib/Target/RunStages.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;

namespace nibble::nvptx {

namespace {

std::unique_ptr<llvm::TargetMachine>
makeMachine(const GpuArchitecture &architecture, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, StringRef(architecture.chip),
      "+ptx" + std::to_string(architecture.ptxVersion), options, std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  Optimizer optimizer(machine, /*vectorizeLoops=*/false);
  optimizer.builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(module, optimizer.modules);
}

} // namespace

FailureOr<GpuTarget> setTarget(ModuleOp module) {
  module.getContext()->getOrLoadDialect<hopper::HopperDialect>();
  if (!module->hasAttr(kernel::kTargetAttr))
    module->setAttr(kernel::kTargetAttr,
                    hopper::TargetAttr::get(module.getContext(),
                                            StringRef(kH200.name), /*sms=*/0));
  auto target = kernel::targetOf<hopper::TargetAttr>(module);
  if (failed(target))
    return failure();
  return target->getFacts();
}

FailureOr<std::string> translateKernels(ModuleOp module) {
  auto kernels = module.getOps<gpu::GPUModuleOp>();
  if (kernels.empty())
    return module.emitError() << "has no module of kernels";
  gpu::GPUModuleOp source = *kernels.begin();
  FailureOr<hopper::TargetAttr> target =
      kernel::targetOf<hopper::TargetAttr>(module);
  if (failed(target))
    return failure();
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerNVVMDialectTranslation(*module.getContext());
  // A module that holds only the device code.
  OwningOpRef<ModuleOp> alone = ModuleOp::create(source.getLoc());
  IRMapping mapping;
  source.getBodyRegion().cloneInto(&alone->getBodyRegion(), mapping);
  alone->getBodyRegion().front().erase();
  llvm::LLVMContext context;
  std::shared_ptr<std::string> refused = keepFirstError(context);
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*alone, context, "kernels");
  if (!code)
    return module.emitError() << "kernels could not be translated to LLVM IR";
  std::string error;
  auto machine = makeMachine(*target->getFacts().architecture, error);
  if (!machine)
    return module.emitError() << "this LLVM has no NVPTX backend: " << error;
  code->setTargetTriple(machine->getTargetTriple());
  code->setDataLayout(machine->createDataLayout());
  optimize(*code, *machine);
  llvm::SmallVector<char> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return module.emitError() << "the NVPTX backend writes no PTX";
  passes.run(*code);
  if (!refused->empty())
    return module.emitError()
           << "the NVPTX backend refuses the kernels: " << *refused;
  return std::string(text.begin(), text.end());
}

FailureOr<DeviceProgram> compileCommands(ModuleOp module) {
  for (gpu::GPUModuleOp given : module.getOps<gpu::GPUModuleOp>())
    return given.emitError() << "holds kernels that are written already; give "
                                "the functions on tensors alone";
  if (failed(setTarget(module)) ||
      failed(
          runStages(module, splitBehind(hopperStages(), kHopperKernels).first)))
    return failure();
  return translateCommands(module);
}

LogicalResult compileKernels(ModuleOp module, DeviceProgram &program) {
  FailureOr<hopper::TargetAttr> target =
      kernel::targetOf<hopper::TargetAttr>(module);
  if (failed(target))
    return failure();
  // The functions have been translated. They go, because their launches would
  // refer to gpu.func that no longer exist.
  for (auto function :
       llvm::make_early_inc_range(module.getOps<FunctionOpInterface>()))
    function.erase();
  if (failed(runStages(module,
                       splitBehind(hopperStages(), kHopperKernels).second)))
    return failure();
  FailureOr<std::string> ptx = translateKernels(module);
  if (failed(ptx))
    return failure();
  program.image = {"kernels", std::move(*ptx), "",
                   std::string(target->getFacts().architecture->chip)};
  return success();
}

FailureOr<DeviceProgram> compile(ModuleOp module) {
  FailureOr<DeviceProgram> program = compileCommands(module);
  if (failed(program) || failed(compileKernels(module, *program)))
    return failure();
  return program;
}

} // namespace nibble::nvptx
