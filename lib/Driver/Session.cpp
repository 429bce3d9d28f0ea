// Parses and compiles modules, and turns MLIR's diagnostics into a Status.
#include "lib/Driver/Session.h"

#include "include/nibble/InitAll.h"
#include "lib/Target/NVPTX/Compile.h"
#include "runtime/core/hash.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

namespace nibble {

// The text of a location: "model.mlir:3:5" for a file, the name of a NameLoc,
// the inner location of a call or fusion. Empty when nothing is known.
static std::string placeOf(mlir::Location location) {
  if (auto file = mlir::dyn_cast<mlir::FileLineColLoc>(location))
    return (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) +
            ":" + llvm::Twine(file.getColumn()))
        .str();
  if (auto range = mlir::dyn_cast<mlir::FileLineColRange>(location))
    return (range.getFilename().getValue() + ":" +
            llvm::Twine(range.getStartLine()) + ":" +
            llvm::Twine(range.getStartColumn()))
        .str();
  if (auto named = mlir::dyn_cast<mlir::NameLoc>(location))
    return named.getName().str();
  if (auto call = mlir::dyn_cast<mlir::CallSiteLoc>(location))
    return placeOf(call.getCallee());
  if (auto fused = mlir::dyn_cast<mlir::FusedLoc>(location))
    for (mlir::Location inner : fused.getLocations())
      if (std::string place = placeOf(inner); !place.empty())
        return place;
  return "";
}

// Location and first line of a diagnostic. Dumps of ops would follow on further
// lines.
static std::string oneLine(const mlir::Diagnostic &diagnostic) {
  std::string place = placeOf(diagnostic.getLocation());
  std::string text = diagnostic.str();
  text = llvm::StringRef(text).trim().split('\n').first.str();
  return place.empty() ? text : place + ": " + text;
}

Session::Session(Warn warn) : warn_(std::move(warn)) {
  static std::once_flag once;
  std::call_once(once, [] { registerAllPasses(); });
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  context_ = std::make_unique<mlir::MLIRContext>(
      registry, mlir::MLIRContext::Threading::DISABLED);
  context_->getDiagEngine().registerHandler([this](
                                                mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      errors_.push_back(oneLine(diagnostic));
    if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Warning || !warn_)
      return;
    if (std::string line = oneLine(diagnostic); warned_.insert(line).second)
      warn_(line);
  });
}

Session::~Session() = default;

std::string Session::takeError(const std::string &otherwise) {
  std::string text = errors_.empty() ? otherwise : errors_.front();
  errors_.clear();
  return text;
}

// MLIR's own diagnostics say what is wrong but not what to do.
Status Session::failure(Code code, const std::string &otherwise) {
  std::string text = takeError(otherwise);
  if (text.find("; ") == std::string::npos)
    text += code == Code::kBadInput ? "; correct the module"
                                    : "; change the module";
  return Status(code, text);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
Session::parseText(const std::string &text, const std::string &name) {
  if (llvm::StringRef(text).starts_with("ML\xEFR"))
    return Status::badInput(name + ": is MLIR bytecode, which is not read; "
                                   "print it as text with mlir-opt first");
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name),
                             llvm::SMLoc());
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(
      sources, mlir::ParserConfig(context_.get()));
  // The parser's message says only that the dialect is unknown.
  if (llvm::StringRef said = errors_.empty() ? llvm::StringRef()
                                             : llvm::StringRef(errors_.front());
      !module && (said.contains("not found for custom op") ||
                  said.contains("with an unregistered dialect")))
    errors_.front() += "; known are the dialects of MLIR and Nibble, so let "
                       "the exporter decompose the op into linalg "
                       "(torch-mlir leaves cumsum, sort, topk and scatter as "
                       "ops of tm_tensor)";
  if (!module)
    return failure(Code::kBadInput, name + ": is not a module");
  return module;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>>
Session::parseFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return Status::badInput(path + ": cannot be read: " +
                            buffer.getError().message() + "; check the path");
  return parseText((*buffer)->getBuffer().str(), path);
}

Status Session::run(mlir::ModuleOp module, const std::string &pipeline,
                    Code code) {
  std::string message;
  bool parsed = true;
  auto build = [&](mlir::OpPassManager &manager) {
    llvm::raw_string_ostream stream(message);
    // Inside the pass manager of a module, "builtin.module(...)" would be a
    // pipeline for nested modules, and there are none.
    if (llvm::StringRef(pipeline).ltrim().starts_with("builtin.module(")) {
      auto whole = mlir::parsePassPipeline(pipeline, stream);
      parsed = succeeded(whole);
      if (parsed)
        manager = std::move(*whole);
      return;
    }
    parsed = succeeded(mlir::parsePassPipeline(pipeline, manager, stream));
  };
  Status status = run(module, "pipeline '" + pipeline + "'", build, code);
  if (parsed)
    return status;
  // The parser's message comes first; further lines show where it stopped.
  // Messages of a pass manager go to the diagnostics and have no prefix.
  llvm::StringRef reason = llvm::StringRef(message).trim().split('\n').first;
  if (size_t prefix = reason.rfind("error: "); prefix != llvm::StringRef::npos)
    reason =
        reason.substr(prefix).drop_front(llvm::StringRef("error: ").size());
  std::string said =
      reason.empty() ? takeError("cannot be built") : reason.str();
  return Status::usage("pipeline '" + pipeline + "': " + said +
                       "; correct the pipeline");
}

Status Session::run(mlir::ModuleOp module, const std::string &name,
                    llvm::function_ref<void(mlir::OpPassManager &)> build,
                    Code code) {
  mlir::PassManager manager(context_.get());
  build(manager);
  errors_.clear();
  if (failed(manager.run(module)))
    return failure(code, name + " failed");
  return Status::ok();
}

// The code is there all the same.
void Session::warnUnlessKept(const Status &status) {
  if (status.isOk() || !warn_)
    return;
  if (std::string line = "NIBBLE_PROGRAM_CACHE: " + status.message();
      warned_.insert(line).second)
    warn_(line);
}

Status HostOptions::check() const {
  if (host::isCpu(cpu))
    return Status::ok();
  return Status::usage("CPU '" + cpu +
                       "' is none of LLVM's 64-bit ones; choose host, or a "
                       "name such as haswell or x86-64-v4");
}

std::string Session::keyOf(const ProgramCache &cache, mlir::ModuleOp module,
                           const HostOptions &options) {
  if (options.dumpLLVM)
    return ""; // what is printed on the way is printed each time
  auto cpu = host::setTarget(module, options.cpu);
  errors_.clear(); // the compiler reports it
  if (failed(cpu))
    return "";
  return cache.key(module,
                   {"host", cpu->features, options.profile ? "profile" : ""});
}

Result<host::ObjectFile> Session::compileAnew(mlir::ModuleOp module,
                                              const HostOptions &options) {
  host::CompileOptions compile;
  compile.cpu = options.cpu;
  compile.dumpLLVM = options.dumpLLVM;
  compile.profile = options.profile;
  errors_.clear();
  auto object = host::compileToObject(module, compile);
  if (failed(object))
    return failure(Code::kFailed, "code generation failed");
  return std::move(*object);
}

Result<host::ObjectFile> Session::compileToObject(mlir::ModuleOp module,
                                                  const HostOptions &options) {
  NIBBLE_TRY(options.check());
  ProgramCache cache = ProgramCache::fromEnvironment();
  std::string key = keyOf(cache, module, options);
  if (auto object = cache.findObject(key))
    return *std::move(object);
  NIBBLE_ASSIGN(host::ObjectFile object, compileAnew(module, options));
  warnUnlessKept(cache.keep(key, object));
  return object;
}

Result<Program> Session::compileForHost(mlir::ModuleOp module,
                                        const HostOptions &options) {
  NIBBLE_TRY(options.check());
  auto programOf = [](std::shared_ptr<host::CompiledProgram> code) {
    const nibble_program &table = code->table();
    return Program::create(table, std::move(code));
  };
  ProgramCache cache = ProgramCache::fromEnvironment();
  std::string key = keyOf(cache, module, options);
  if (auto object = cache.findObject(key))
    if (auto program = host::load(module, *object); succeeded(program))
      return programOf(*std::move(program));
  // Code that was kept and cannot be linked is compiled again, because the
  // message names the place of a call.
  NIBBLE_ASSIGN(host::ObjectFile object, compileAnew(module, options));
  auto program = host::load(module, object);
  if (failed(program))
    return failure(Code::kFailed, "code generation failed");
  warnUnlessKept(cache.keep(key, object));
  return programOf(*std::move(program));
}

Result<GpuTarget> Session::deviceTarget(mlir::ModuleOp module) {
  errors_.clear();
  auto target = nvptx::setTarget(module);
  if (failed(target))
    return failure(Code::kBadInput, "the target is unknown");
  return *target;
}

Result<DeviceProgram> Session::compileForDevice(mlir::ModuleOp module,
                                                bool assemble,
                                                nvptx::Assembly *log) {
  std::string ptxas;
  std::string assembler;
  if (assemble) {
    NIBBLE_ASSIGN(ptxas, nvptx::findPtxas());
    if (!ptxas.empty()) {
      NIBBLE_ASSIGN(FileHash file, hashFile(ptxas));
      assembler = file.hash;
    }
  }
  ProgramCache cache = ProgramCache::fromEnvironment();
  std::string key;
  // What ptxas says is in no bundle.
  if (!log && succeeded(nvptx::setTarget(module)))
    key = cache.key(module, {"device", assembler});
  if (auto program = cache.findProgram(key))
    return *std::move(program);
  NIBBLE_ASSIGN(DeviceProgram program, compileKernels(module));
  if (!ptxas.empty()) {
    nvptx::Assembly assembly;
    NIBBLE_TRY(nvptx::assemble(ptxas, program.image.ptx, program.image.target,
                               assembly));
    program.image.cubin = assembly.cubin;
    if (log)
      *log = std::move(assembly);
  }
  NIBBLE_TRY(check(program));
  warnUnlessKept(cache.keep(key, program));
  return program;
}

Result<DeviceProgram> Session::compileKernels(mlir::ModuleOp module) {
  errors_.clear();
  auto ours = [&](const char *what) {
    return Status::failed(std::string(what) + ", a defect of this compiler: " +
                          takeError("nothing more is known") +
                          "; report it with the module");
  };
  auto program = nvptx::compileCommands(module);
  if (failed(program)) {
    // The input was valid, so a pass that leaves an invalid module is at fault.
    std::vector<std::string> said = errors_;
    bool valid = succeeded(mlir::verify(module));
    errors_ = std::move(said);
    return valid ? failure(Code::kBadInput,
                           "an H200 has no kernels for this module")
                 : ours("kernels are written wrongly");
  }
  if (failed(nvptx::compileKernels(module, *program)))
    return ours("kernels cannot be lowered");
  return std::move(*program);
}

} // namespace nibble
