// Lowers a module to LLVM IR and optimizes it for one CPU.
#include "lib/Target/Host/GenerateCode.h"

#include "lib/Target/FirstError.h"
#include "lib/Target/Host/CompleteLibrary.h"
#include "lib/Target/Optimizer.h"
#include "lib/Target/RunStages.h"
#include "passes/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

using namespace mlir;
using namespace nibble::host;

std::string nibble::host::entrySymbol(StringRef name) {
  return ("nibble_entry_" + name).str();
}

namespace {

// `void nibble_entry_<f>(void **values)` unpacks the array that ABI.h describes
// and calls MLIR's C interface of f.
void addEntry(llvm::Module &module, const Interface::Entry &entry) {
  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> b(context);
  llvm::Type *pointer = b.getPtrTy();
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(b.getVoidTy(), {pointer}, false),
      llvm::Function::ExternalLinkage, entrySymbol(entry.name), module);
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
  llvm::Function *target = module.getFunction("_mlir_ciface_" + entry.name);
  SmallVector<llvm::Value *> arguments;
  unsigned slot = 0;
  auto slotValue = [&] {
    return b.CreateLoad(
        pointer, b.CreateConstGEP1_32(pointer, function->getArg(0), slot++));
  };
  if (!entry.results.empty())
    arguments.push_back(slotValue());
  for (size_t i = 0; i < entry.arguments.size(); ++i)
    arguments.push_back(b.CreateLoad(pointer, slotValue()));
  b.CreateCall(target, arguments);
  b.CreateRetVoid();
}

bool hasLoop(llvm::Function &function) {
  llvm::DominatorTree tree(function);
  return !llvm::LoopInfo(tree).empty();
}

// Makes everything but the entries internal, so that LLVM may inline or drop
// it, and keeps vectors as wide as written.
void prepare(llvm::Module &module, const Interface &interface, bool wide) {
  for (const Interface::Entry &entry : interface.entries()) {
    addEntry(module, entry);
    // A model's functions have thousands of arguments, one word each. Inlining
    // avoids passing them twice.
    for (llvm::StringRef name : {entry.name, "_mlir_ciface_" + entry.name})
      module.getFunction(name)->addFnAttr(llvm::Attribute::AlwaysInline);
  }
  StringRef width = wide ? "512" : "256";
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (!function.getName().starts_with("nibble_entry_")) {
      function.setLinkage(llvm::Function::InternalLinkage);
      // The backend turns intrinsics into calls of the C library, and a
      // function of the program may have such a name.
      function.setName("nibble_internal_" + function.getName());
    }
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("min-legal-vector-width", width);
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

// The function passes of -O2. Interprocedural passes gain nothing here, since
// kernels are specialized already. Their value propagation takes quadratic time
// in the entries of a deep model, which handle thousands of buffers.
void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  nibble::Optimizer optimizer(machine, /*vectorizeLoops=*/true);
  llvm::ModulePassManager inlining;
  inlining.addPass(llvm::AlwaysInlinerPass());
  inlining.addPass(llvm::GlobalDCEPass());
  inlining.run(module, optimizer.modules);
  optimizer.modules.invalidate(module, llvm::PreservedAnalyses::none());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    // A function without a loop only calls others, once per layer and
    // parameter. Nothing in it can be made faster, and its length would
    // dominate compile time.
    if (!hasLoop(function)) {
      function.addFnAttr(llvm::Attribute::OptimizeNone);
      function.addFnAttr(llvm::Attribute::NoInline);
    }
  }
  auto level = llvm::OptimizationLevel::O2;
  auto phase = llvm::ThinOrFullLTOPhase::None;
  llvm::ModulePassManager passes;
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(
      optimizer.builder.buildFunctionSimplificationPipeline(level, phase)));
  passes.addPass(
      optimizer.builder.buildModuleOptimizationPipeline(level, phase));
  passes.run(module, optimizer.modules);
}

// Drops the attributes that name arguments and results, which have been read.
// Translation would warn about each unknown attribute and print the function
// around it, which takes minutes for a deep model.
void dropNames(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    function.removeArgAttrsAttr();
    function.removeResAttrsAttr();
  }
}

} // namespace

LogicalResult nibble::host::report(ModuleOp module, llvm::Error error) {
  return module.emitError()
         << "code generation failed: " << llvm::toString(std::move(error));
}

LogicalResult nibble::host::reportRefusal(ModuleOp module,
                                          const std::string &refused) {
  return refused.empty() ? success()
                         : module.emitError()
                               << "the backend refuses the code: " << refused;
}

FailureOr<Code> nibble::host::generate(ModuleOp module,
                                       const CompileOptions &options) {
  FailureOr<Cpu> cpu = setTarget(module, options.cpu);
  if (failed(cpu))
    return failure();
  StageOptions stageOptions;
  stageOptions.profile = options.profile;
  auto [loops, lowering] = splitBehind(hostStages(), kHostLoops);
  if (failed(runStages(module, loops, stageOptions)))
    return failure();
  FailureOr<Interface> interface = Interface::read(module);
  if (failed(interface))
    return failure();
  dropNames(module);
  if (failed(runStages(module, lowering, stageOptions)))
    return failure();

  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerOpenMPDialectTranslation(*module.getContext());
  Code code;
  code.cpu = std::move(*cpu);
  code.interface = std::move(*interface);
  code.context = std::make_unique<llvm::LLVMContext>();
  code.refused = keepFirstError(*code.context);
  code.module = translateModuleToLLVMIR(module, *code.context);
  if (!code.module)
    return module.emitError() << "could not be translated to LLVM IR";

  llvm::orc::JITTargetMachineBuilder &target = code.target;
  target.setCPU(code.cpu.target.name);
  target.getFeatures() = llvm::SubtargetFeatures(code.cpu.features);
  target.setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  target.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
  target.setRelocationModel(llvm::Reloc::PIC_);
  auto machine = target.createTargetMachine();
  if (!machine)
    return report(module, machine.takeError());
  code.machine = std::move(*machine);
  code.module->setTargetTriple(code.machine->getTargetTriple());
  code.module->setDataLayout(code.machine->createDataLayout());
  code.module->setPICLevel(llvm::PICLevel::BigPIC);
  prepare(*code.module, code.interface, code.cpu.target.vectorFloats == 16);
  completeLibrary(*code.module, code.interface);
  optimize(*code.module, *code.machine);
  if (options.dumpLLVM)
    code.module->print(llvm::dbgs(), nullptr);
  return code;
}
