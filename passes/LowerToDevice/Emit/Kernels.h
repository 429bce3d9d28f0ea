// How a kernel is emitted: its launch, its body, and the table of functions
// that emit kernels.
#pragma once

#include "passes/Kernels/KernelOp.h"
#include "passes/LowerToDevice/Emit/Emitter.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace nibble::device {

// One launch to emit.
struct LaunchSpec {
  // Identifies the code and contains everything that it depends on
  // ("rms_norm_bf16_1024"). Kernels with the same key are emitted once. The key
  // is part of the symbol.
  std::string key;
  int64_t threads = 0;
  int64_t sharedBytes = 0;
  int64_t cluster = 1;
  int64_t blocksPerSM = 1; // limits the registers of a thread
  // Every kernel begins while the previous one still runs, and waits for its
  // end. By default the emitted code waits at the start. With this flag the
  // body waits itself, after it has prefetched data that existed before
  // (parameters), and lets the next kernel begin.
  bool fetchesEarly = false;
  llvm::SmallVector<mlir::Value>
      grid; // 1 to 3 index values on the host, x first
  // On the host: buffers (a global pointer in the body), index values (an i32
  // in the body) and tensor maps (a generic pointer).
  llvm::SmallVector<mlir::Value> arguments;
  // Buffers and index values after the arguments, eight bytes each. The body's
  // last argument is a generic pointer to them. Their number is part of the
  // key.
  llvm::SmallVector<mlir::Value> table;
  mlir::DictionaryAttr report; // tile, stages, splits; may be null
  mlir::Value operations;      // on the host: of matrix units; may be null
  // For reports: the launch touches all bytes of its buffers, except for the
  // buffers in `partly`. It touches at most `touches` bytes of those in total,
  // an index value on the host; null when that is unknown before it runs. Tests
  // in test/passes/LowerToHopper compare this with the accesses that simt
  // observes.
  llvm::SmallVector<mlir::Value> partly;
  mlir::Value touches;
  // Buffers that the launch uses up, such as a list from which blocks take
  // their work. They must be restored before it runs again.
  llvm::SmallVector<mlir::Value> consumed;
};

// Emits launches at the op, and kernels into the module of kernels.
class KernelWriter {
public:
  // `target` is the GPU that the kernels are for.
  KernelWriter(mlir::ModuleOp module, const GpuTarget &target);

  const GpuTarget &target() const { return target_; }

  using Body = llvm::function_ref<void(Emitter &, mlir::ValueRange arguments)>;
  // Calls the body if there is no kernel with that key yet.
  void launch(mlir::OpBuilder &host, mlir::Location loc, const LaunchSpec &spec,
              Body body);

private:
  GpuTarget target_;
  mlir::gpu::GPUModuleOp kernels_;
  llvm::StringMap<mlir::gpu::GPUFuncOp> written_;
};

// One op that becomes launches. Host values are made by `host`, at the op.
struct Kernel : kernels::KernelOp {
  KernelWriter &writer;
  mlir::OpBuilder &host;

  Kernel(KernelWriter &writer, mlir::OpBuilder &host, kernel::ComputeOp op)
      : KernelOp{op, op.getInputs(), op.getOutputs()}, writer(writer),
        host(host) {}

  // Multiprocessors that the kernels may use.
  int64_t sms() const { return writer.target().sms; }

  // Index values on the host.
  mlir::Value index(int64_t value) const;
  mlir::Value extent(mlir::Value buffer, int64_t dimension) const;
  mlir::Value mul(mlir::Value a, mlir::Value b) const;
  mlir::Value ceilDiv(mlir::Value a, int64_t b) const;
  // `blocks`, or 0 when `count` is 0. An empty batch launches nothing: a tensor
  // map of zero rows is invalid.
  mlir::Value blocksIfAny(mlir::Value count, mlir::Value blocks) const;
  // A buffer for this op's launches, released after its last use.
  mlir::Value scratch(llvm::ArrayRef<int64_t> shape, mlir::ValueRange dynamic,
                      mlir::Type element) const;
  void launch(const LaunchSpec &spec, KernelWriter::Body body) const {
    writer.launch(host, loc(), spec, body);
  }
};

// The text of a type in a key: "bf16".
std::string textOf(mlir::Type type);
// The bytes of `count` elements, an index value on the host.
mlir::Value bytesOf(const Kernel &kernel, mlir::Value count,
                    mlir::Type element);

using KernelTable = kernels::KernelTable<Kernel>;

} // namespace nibble::device
