// Links an object file into this process and keeps it alive as a program.
#include "lib/Target/Host/Compile.h"

#include "lib/Target/Host/GenerateCode.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace nibble::host;

namespace {

class JitProgram final : public CompiledProgram {
public:
  explicit JitProgram(std::unique_ptr<llvm::orc::LLJIT> jit)
      : jit_(std::move(jit)) {}

  llvm::Error link() {
    auto address = jit_->lookup("nibble_program");
    if (!address)
      return address.takeError();
    table_ = address->toPtr<const nibble_program *>();
    return llvm::Error::success();
  }

  const nibble_program &table() const override { return *table_; }

private:
  std::unique_ptr<llvm::orc::LLJIT> jit_;
  const nibble_program *table_ = nullptr;
};

llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> makeJit() {
  auto jit = llvm::orc::LLJITBuilder().create();
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
  define("nibble_arena_allocate", &nibble_arena_allocate);
  define("nibble_arena_release", &nibble_arena_release);
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
nibble::host::load(ModuleOp module, const ObjectFile &object) {
  auto jit = makeJit();
  if (!jit)
    return report(module, jit.takeError());
  auto missing = collectMissing(**jit);
  if (auto error = (*jit)->addObjectFile(
          llvm::MemoryBuffer::getMemBufferCopy(object.bytes, "program")))
    return report(module, std::move(error));
  auto program = std::make_shared<JitProgram>(std::move(*jit));
  auto error = program->link();
  if (failed(reportMissing(module, *missing))) {
    llvm::consumeError(std::move(error));
    return failure();
  }
  if (error)
    return report(module, std::move(error));
  return std::shared_ptr<CompiledProgram>(std::move(program));
}

FailureOr<std::shared_ptr<CompiledProgram>>
nibble::host::compile(ModuleOp module, const CompileOptions &options) {
  FailureOr<ObjectFile> object = compileToObject(module, options);
  if (failed(object))
    return failure();
  return load(module, *object);
}
