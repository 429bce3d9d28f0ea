// One MLIR context with everything registered, whose errors become a Status and
// whose warnings go to who asks for them.
#pragma once

#include "lib/Driver/CodeCache.h"
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
  std::string cpu =
      "host"; // or a name LLVM knows; see lib/Target/Host/Machine.h
  bool dumpLLVM = false;
  bool profile = false; // times each kernel; see runtime/core/program/profile.h
};

// Pipeline of a module that others wrote, before it is compiled for the host:
// branches between blocks become structured, what they take for granted of
// extents is asserted.
inline constexpr char kPrepareForeign[] = "lift-cf-to-scf,nibble-check-extents";

class Session {
public:
  // Called with each warning as one line, with its place. The same line comes
  // once: the programs of a run are compiled from one model. Empty: nobody
  // asks.
  using Warn = std::function<void(const std::string &line)>;
  explicit Session(Warn warn = {});
  ~Session();
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  mlir::MLIRContext &context() { return *context_; }

  // Textual IR only: the bytecode reader of this MLIR release aborts on damaged
  // input. Bad input naming file, line and reason.
  Result<mlir::OwningOpRef<mlir::ModuleOp>> parseFile(const std::string &path);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> parseText(const std::string &text,
                                                      const std::string &name);

  // Runs a textual pass pipeline, "builtin.module(nibble-quantize{...},...)" or
  // a list of passes on the module. The code is that of a failure: kBadInput
  // when the input is at fault, kFailed when it is ours.
  Status run(mlir::ModuleOp module, const std::string &pipeline,
             Code code = Code::kBadInput);
  // The passes that `build` adds; `name` stands in the message when they fail
  // and say nothing.
  Status run(mlir::ModuleOp module, const std::string &name,
             llvm::function_ref<void(mlir::OpPassManager &)> build,
             Code code = Code::kBadInput);

  // Compiles for this machine, or takes what the cache of NIBBLE_CACHE has; the
  // module is consumed.
  Result<host::ObjectFile> compileToObject(mlir::ModuleOp module,
                                           const HostOptions &options = {});
  // The same, linked into this process.
  Result<Program> compileForHost(mlir::ModuleOp module,
                                 const HostOptions &options = {});

  // The GPU that compileForDevice compiles `module` for: the one that it says,
  // or else an H200. Bad input when it is for a CPU.
  Result<GpuTarget> deviceTarget(mlir::ModuleOp module);

  // Compiles for a device (cuda, or simt: the same kernels), or takes what the
  // cache of NIBBLE_CACHE has; the module is consumed. With `assemble` and
  // where ptxas is installed, machine code goes with it, and `log` gets what
  // ptxas says. Bad input for what has no kernel there; failed where the fault
  // is the compiler's, which the message says; errors of findPtxas and
  // assemble.
  Result<DeviceProgram> compileForDevice(mlir::ModuleOp module,
                                         bool assemble = false,
                                         nvptx::Assembly *log = nullptr);

  // What the last failed MLIR call reported, as one line that ends with what to
  // do; `otherwise` when it said nothing.
  Status failure(Code code, const std::string &otherwise);

private:
  std::string takeError(const std::string &otherwise);
  // The name in `cache` of what compileToObject makes; may put the target onto
  // the module.
  std::string keyOf(const CodeCache &cache, mlir::ModuleOp module,
                    const HostOptions &options);
  void warnUnlessKept(const Status &status);
  Result<DeviceProgram> compileKernels(mlir::ModuleOp module);

  std::unique_ptr<mlir::MLIRContext> context_;
  std::vector<std::string> errors_;
  Warn warn_;
  std::set<std::string> warned_;
};

} // namespace nibble
