#include "lib/Target/Host/Compile.h"

#include "lib/Target/Host/Interface.h"
#include "passes/Bufferize/Pipeline.h"
#include "passes/LowerToHost/Pipeline.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/OpenMP/OpenMPToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

using namespace mlir;
using namespace nibble::host;

// Memory of generated code, under the names that memref's lowering gives it.
static void *allocateAligned(int64_t alignment, int64_t bytes) { return nibble_arena_allocate(alignment, bytes); }
static void *allocate(int64_t bytes) { return nibble_arena_allocate(64, bytes); }

namespace {

std::string entrySymbol(StringRef name) { return ("nibble_entry_" + name).str(); }

class JitProgram final : public CompiledProgram {
public:
  JitProgram(Interface interface, std::unique_ptr<llvm::orc::LLJIT> jit)
      : interface_(std::move(interface)), jit_(std::move(jit)) {}

  llvm::Error link() {
    for (const Interface::Entry &entry : interface_.entries()) {
      auto address = jit_->lookup(entrySymbol(entry.name));
      if (!address)
        return address.takeError();
      nibble_function function{};
      function.name = entry.name.c_str();
      function.argument_count = entry.arguments.size();
      function.result_count = entry.results.size();
      function.arguments = entry.arguments.data();
      function.results = entry.results.data();
      function.entry = address->toPtr<void (*)(void **)>();
      functions_.push_back(function);
    }
    table_ = nibble_program{NIBBLE_ABI_VERSION, static_cast<int32_t>(functions_.size()), functions_.data()};
    return llvm::Error::success();
  }

  const nibble_program &table() const override { return table_; }

  void *symbol(StringRef name) const override {
    auto address = jit_->lookup(name);
    if (!address) {
      llvm::consumeError(address.takeError());
      return nullptr;
    }
    return address->toPtr<void *>();
  }

private:
  Interface interface_;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  std::vector<nibble_function> functions_;
  nibble_program table_{};
};

// `void nibble_entry_<f>(void **values)`: unpacks what ABI.h describes and calls MLIR's C interface of f.
void addEntry(llvm::Module &module, const Interface::Entry &entry) {
  llvm::LLVMContext &context = module.getContext();
  llvm::IRBuilder<> b(context);
  llvm::Type *pointer = b.getPtrTy();
  auto *function = llvm::Function::Create(llvm::FunctionType::get(b.getVoidTy(), {pointer}, false),
                                          llvm::Function::ExternalLinkage, entrySymbol(entry.name), module);
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "", function));
  llvm::Function *target = module.getFunction("_mlir_ciface_" + entry.name);
  SmallVector<llvm::Value *> arguments;
  unsigned slot = 0;
  auto slotValue = [&] { return b.CreateLoad(pointer, b.CreateConstGEP1_32(pointer, function->getArg(0), slot++)); };
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

// Everything but the entries is ours to inline or drop; vectors are as wide as written.
void prepare(llvm::Module &module, const Interface &interface, bool wide) {
  for (const Interface::Entry &entry : interface.entries()) {
    addEntry(module, entry);
    // Thousands of arguments, a word each, are not passed down twice.
    for (llvm::StringRef name : {entry.name, "_mlir_ciface_" + entry.name})
      module.getFunction(name)->addFnAttr(llvm::Attribute::AlwaysInline);
  }
  StringRef width = wide ? "512" : "256";
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (!function.getName().starts_with("nibble_entry_"))
      function.setLinkage(llvm::Function::InternalLinkage);
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr("min-legal-vector-width", width);
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
}

// What -O2 does to each function by itself. Of what it does between functions there is nothing to gain here, since
// kernels are as specialized as they can be; and propagating values through the entries of a model of many layers, with
// thousands of buffers each, takes time that grows with the square of their number.
void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  llvm::ModulePassManager inlining;
  inlining.addPass(llvm::AlwaysInlinerPass());
  inlining.addPass(llvm::GlobalDCEPass());
  inlining.run(module, modules);
  modules.invalidate(module, llvm::PreservedAnalyses::none());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    // A function without a loop calls others, once for each layer and parameter. There is nothing in it to make faster,
    // and its length is what compile time would grow with.
    if (!hasLoop(function)) {
      function.addFnAttr(llvm::Attribute::OptimizeNone);
      function.addFnAttr(llvm::Attribute::NoInline);
    }
  }
  auto level = llvm::OptimizationLevel::O2;
  auto phase = llvm::ThinOrFullLTOPhase::None;
  llvm::ModulePassManager passes;
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(builder.buildFunctionSimplificationPipeline(level, phase)));
  passes.addPass(builder.buildModuleOptimizationPipeline(level, phase));
  passes.run(module, modules);
}

llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> makeJit(const llvm::orc::JITTargetMachineBuilder &target) {
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(target).create();
  if (!jit)
    return jit.takeError();
  auto process =
      llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess((*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  llvm::orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[(*jit)->mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                              llvm::JITSymbolFlags::Exported};
  };
  define("_mlir_memref_to_llvm_alloc", &allocate);
  define("_mlir_memref_to_llvm_aligned_alloc", &allocateAligned);
  define("_mlir_memref_to_llvm_free", &nibble_arena_release);
  define("nibble_check_expect_eq", &nibble_check_expect_eq);
  define("nibble_check_expect_close", &nibble_check_expect_close);
  define("nibble_profile_begin", &nibble_profile_begin);
  define("nibble_profile_end", &nibble_profile_end);
  if (auto error = (*jit)->getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);
  return jit;
}

// The names of arguments and results have been read. Translation would warn of each that it does not know it, and print
// the function that it belongs to: minutes, for a model of many layers.
void dropNames(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    function.removeArgAttrsAttr();
    function.removeResAttrsAttr();
  }
}

LogicalResult report(ModuleOp module, llvm::Error error) {
  return module.emitError() << "code generation failed: " << llvm::toString(std::move(error));
}

} // namespace

FailureOr<std::shared_ptr<CompiledProgram>> nibble::host::compile(ModuleOp module, const CompileOptions &options) {
  Cpu cpu = describeCpu(options.cpu);

  PassManager loops(module.getContext());
  buildBufferizePipeline(loops);
  buildHostLoopsPipeline(loops, cpu.machine, options.profile);
  if (failed(loops.run(module)))
    return failure();
  FailureOr<Interface> interface = Interface::read(module);
  if (failed(interface))
    return failure();
  dropNames(module);
  PassManager lowering(module.getContext());
  buildHostLLVMPipeline(lowering, cpu.machine);
  if (failed(lowering.run(module)))
    return failure();

  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  registerOpenMPDialectTranslation(*module.getContext());
  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(module, *context);
  if (!code)
    return module.emitError() << "could not be translated to LLVM IR";

  llvm::orc::JITTargetMachineBuilder target((llvm::Triple(llvm::sys::getProcessTriple())));
  target.setCPU(cpu.name);
  target.getFeatures() = llvm::SubtargetFeatures(cpu.features);
  target.setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  target.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
  auto machine = target.createTargetMachine();
  if (!machine)
    return report(module, machine.takeError());
  code->setTargetTriple((*machine)->getTargetTriple());
  code->setDataLayout((*machine)->createDataLayout());
  prepare(*code, *interface, cpu.machine.vectorFloats == 16);
  optimize(*code, **machine);
  if (options.dumpLLVM)
    code->print(llvm::dbgs(), nullptr);

  auto jit = makeJit(target);
  if (!jit)
    return report(module, jit.takeError());
  if (auto error = (*jit)->addIRModule(llvm::orc::ThreadSafeModule(std::move(code), std::move(context))))
    return report(module, std::move(error));
  auto program = std::make_shared<JitProgram>(std::move(*interface), std::move(*jit));
  if (auto error = program->link())
    return report(module, std::move(error));
  return std::shared_ptr<CompiledProgram>(std::move(program));
}
