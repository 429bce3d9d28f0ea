// Compiles a module with the JIT and keeps it alive as a program.
#include "lib/Target/Host/Compile.h"

#include "lib/Target/Host/GenerateCode.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ExecutionEngine/Orc/CompileUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ThreadSafeModule.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace nibble::host;

// Allocation for generated code, under the names that memref's lowering calls.
static void *allocateAligned(int64_t alignment, int64_t bytes) {
  return nibble_arena_allocate(alignment, bytes);
}
static void *allocate(int64_t bytes) {
  return nibble_arena_allocate(64, bytes);
}

namespace {

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
    table_ = nibble_program{NIBBLE_ABI_VERSION,
                            static_cast<int32_t>(functions_.size()),
                            functions_.data()};
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

llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>>
makeJit(const llvm::orc::JITTargetMachineBuilder &target) {
  auto jit =
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(target).create();
  if (!jit)
    return jit.takeError();
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  llvm::orc::SymbolMap symbols;
  auto define = [&](StringRef name, auto *function) {
    symbols[(*jit)->mangleAndIntern(name)] = {
        llvm::orc::ExecutorAddr::fromPtr(function),
        llvm::JITSymbolFlags::Exported};
  };
  define("_mlir_memref_to_llvm_alloc", &allocate);
  define("_mlir_memref_to_llvm_aligned_alloc", &allocateAligned);
  define("_mlir_memref_to_llvm_free", &nibble_arena_release);
  define("nibble_assert_failed", &nibble_assert_failed);
  define("nibble_check_expect_eq", &nibble_check_expect_eq);
  define("nibble_check_expect_close", &nibble_check_expect_close);
  define("nibble_profile_begin", &nibble_profile_begin);
  define("nibble_profile_end", &nibble_profile_end);
  if (auto error = (*jit)->getMainJITDylib().define(
          llvm::orc::absoluteSymbols(std::move(symbols))))
    return std::move(error);
  return jit;
}

} // namespace

// Collects the names of functions that linking could not find. LLVM would print
// them and return only that something is missing.
static std::shared_ptr<std::vector<std::string>>
collectMissing(llvm::orc::LLJIT &jit) {
  auto missing = std::make_shared<std::vector<std::string>>();
  jit.getExecutionSession().setErrorReporter([missing](llvm::Error error) {
    llvm::handleAllErrors(
        std::move(error),
        [&](const llvm::orc::SymbolsNotFound &notFound) {
          for (const llvm::orc::SymbolStringPtr &symbol : notFound.getSymbols())
            missing->push_back((*symbol).str());
        },
        [](const llvm::ErrorInfoBase &) {}); // linking returns the error
  });
  return missing;
}

// Reports each missing function at its first call.
static LogicalResult reportMissing(ModuleOp module,
                                   const std::vector<std::string> &missing) {
  for (const std::string &name : missing) {
    Operation *first = nullptr;
    module.walk([&](LLVM::CallOp call) {
      if (!first && call.getCallee() == StringRef(name))
        first = call;
    });
    InFlightDiagnostic diagnostic =
        first ? first->emitError() : module.emitError();
    diagnostic
        << "calls the function '" << name
        << "', which neither the module, the runtime nor the C library has";
  }
  return success(missing.empty());
}

FailureOr<std::shared_ptr<CompiledProgram>>
nibble::host::compile(ModuleOp module, const CompileOptions &options) {
  FailureOr<Code> code = generate(module, options, /*library=*/false);
  if (failed(code))
    return failure();
  auto jit = makeJit(code->target);
  if (!jit)
    return report(module, jit.takeError());
  auto missing = collectMissing(**jit);
  if (auto error = (*jit)->addIRModule(llvm::orc::ThreadSafeModule(
          std::move(code->module), std::move(code->context))))
    return report(module, std::move(error));
  auto program =
      std::make_shared<JitProgram>(std::move(code->interface), std::move(*jit));
  auto error = program->link(); // compiles as well
  if (failed(reportRefusal(module, *code->refused))) {
    llvm::consumeError(std::move(error)); // reportMissing says more
    return failure();
  }
  if (failed(reportMissing(module, *missing))) {
    llvm::consumeError(std::move(error));
    return failure();
  }
  if (error)
    return report(module, std::move(error));
  return std::shared_ptr<CompiledProgram>(std::move(program));
}
