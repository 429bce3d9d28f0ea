// One MLIR context with everything registered. Its errors become a Status, and
// its warnings go to a callback.
#pragma once

#include "lib/Driver/ProgramCache.h"
#include "lib/KnownTargets/gpu.h"
#include "lib/Target/Host/Compile.h"
#include "lib/Target/NVPTX/Assemble.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/core/program/program.h"
#include "runtime/core/status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
}

namespace nibble {

struct HostOptions {
  // Or a name that LLVM knows; see lib/Target/Host/Machine.h.
  std::string cpu = "host";
  bool dumpLLVM = false;
  bool profile = false; // times each kernel; see runtime/core/program/profile.h

  // Usage error for a CPU that code cannot be compiled for.
  Status check() const;
};

// Pipeline for a module that others wrote, before it is compiled for the host.
// It makes branches between blocks structured, and asserts what the module
// assumes about extents.
inline constexpr char kPrepareForeign[] = "lift-cf-to-scf,nibble-check-extents";

class Session {
public:
  // Called with each warning as one line with its location. A repeated line is
  // passed on once, because the programs of a run are compiled from one model.
  // May be empty.
  using Warn = std::function<void(const std::string &line)>;
  explicit Session(Warn warn = {});
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  mlir::MLIRContext &context() { return *context_; }

  // Reads textual IR only, because the bytecode reader of this MLIR release
  // aborts on damaged input. Bad input names file, line and reason.
  Result<mlir::OwningOpRef<mlir::ModuleOp>> parseFile(const std::string &path);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> parseText(const std::string &text,
                                                      const std::string &name);

  // Runs a textual pass pipeline on the module:
  // "builtin.module(nibble-quantize{...},...)" or a list of passes. `code` is
  // the code of a failure: kBadInput when the input is at fault, kFailed when
  // the compiler is.
  Status run(mlir::ModuleOp module, const std::string &pipeline,
             Code code = Code::kBadInput);
  // Runs the passes that `build` adds. `name` stands in the message when they
  // fail without a diagnostic.
  Status run(mlir::ModuleOp module, const std::string &name,
             llvm::function_ref<void(mlir::OpPassManager &)> build,
             Code code = Code::kBadInput);

  // Compiles for this machine, or takes what the cache of NIBBLE_PROGRAM_CACHE
  // has; the module is consumed.
  Result<host::ObjectFile> compileToObject(mlir::ModuleOp module,
                                           const HostOptions &options = {});
  // The same, linked into this process.
  Result<Program> compileForHost(mlir::ModuleOp module,
                                 const HostOptions &options = {});

  // The GPU that compileForDevice compiles `module` for: the module's target,
  // or else an H200. Bad input when the target is a CPU.
  Result<GpuTarget> deviceTarget(mlir::ModuleOp module);

  // Compiles for a device, or takes what the cache of NIBBLE_PROGRAM_CACHE has;
  // the module is consumed. The device is cuda, or simt, which runs the same
  // kernels. With `assemble`, and if ptxas is installed, the program also holds
  // machine code, and `log` gets the output of ptxas. Bad input when an op has
  // no device kernel; failed, with a message that says so, when the compiler is
  // at fault. Other errors are those of findPtxas and
  // assemble.
  Result<DeviceProgram> compileForDevice(mlir::ModuleOp module,
                                         bool assemble = false,
                                         nvptx::Assembly *log = nullptr);

  // The last diagnostic of a failed MLIR call, as one line that ends with what
  // to do, or `otherwise` when there was none.
  Status failure(Code code, const std::string &otherwise);

private:
  std::string takeError(const std::string &otherwise);
  // The name in `cache` of what compileToObject makes; may put the target onto
  // the module.
  std::string keyOf(const ProgramCache &cache, mlir::ModuleOp module,
                    const HostOptions &options);
  void warnUnlessKept(const Status &status);
  Result<host::ObjectFile> compileAnew(mlir::ModuleOp module,
                                       const HostOptions &options);
  Result<DeviceProgram> compileKernels(mlir::ModuleOp module);

  std::unique_ptr<mlir::MLIRContext> context_;
  std::vector<std::string> errors_;
  Warn warn_;
  std::set<std::string> warned_;
};

} // namespace nibble
