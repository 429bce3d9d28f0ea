// How a kernel is written: its launch, its body, and the table of the functions
// that write them.
#pragma once

#include "passes/Kernels/KernelOp.h"
#include "passes/LowerToDevice/Emit/Emitter.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace nibble::device {

// One launch to be written.
struct LaunchSpec {
  // What the code is, with everything in it that the body's code depends on
  // ("rms_norm_bf16_1024"): kernels of one key are written once. Becomes part
  // of the symbol.
  std::string key;
  int64_t threads = 0;
  int64_t sharedBytes = 0;
  int64_t cluster = 1;
  int64_t blocksPerSM = 1; // that registers must be left for
  // Every kernel begins while the one before still runs, and waits for its end.
  // This one's body does so itself, after it has asked for what was there
  // before (a parameter), and lets the next kernel begin.
  bool fetchesEarly = false;
  llvm::SmallVector<mlir::Value>
      grid; // 1 to 3 index values on the host, x first
  // On the host: buffers (a global pointer in the body), index values (an i32
  // in the body), tensor maps (a generic pointer).
  llvm::SmallVector<mlir::Value> arguments;
  // Buffers and index values behind the arguments, eight bytes each: the body's
  // last argument is a generic pointer to them. Their number is part of the
  // key.
  llvm::SmallVector<mlir::Value> table;
  mlir::DictionaryAttr report; // tile, stages, splits; may be null
  mlir::Value operations;      // on the host: of the matrix units; may be null
  // What it touches, for reports: of its buffers all bytes, but of these at
  // most `touches` bytes together (an index value on the host); null: not known
  // before it runs. test/passes/LowerToHopper holds them against what simt
  // sees.
  llvm::SmallVector<mlir::Value> partly;
  mlir::Value touches;
  // Buffers that it uses up, as a list from which blocks take their work: put
  // back before it runs again by itself.
  llvm::SmallVector<mlir::Value> consumed;
};

// Writes launches where the op stands, and kernels into the module of kernels.
class KernelWriter {
public:
  // `target`: the GPU that the kernels are for.
  KernelWriter(mlir::ModuleOp module, const GpuTarget &target);

  const GpuTarget &target() const { return target_; }

  using Body = llvm::function_ref<void(Emitter &, mlir::ValueRange arguments)>;
  // The body is called when the kernel of that key is not there yet.
  void launch(mlir::OpBuilder &host, mlir::Location loc, const LaunchSpec &spec,
              Body body);

private:
  GpuTarget target_;
  mlir::gpu::GPUModuleOp kernels_;
  llvm::StringMap<mlir::gpu::GPUFuncOp> written_;
};

// One op on its way to launches. Host values are made with `host`, at the op.
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
  // `blocks`, or 0 when `count` is 0: nothing to launch, and no tensor map of
  // no rows, which there is not.
  mlir::Value blocksIfAny(mlir::Value count, mlir::Value blocks) const;
  // A buffer for this op's launches: released after its last use.
  mlir::Value scratch(llvm::ArrayRef<int64_t> shape, mlir::ValueRange dynamic,
                      mlir::Type element) const;
  void launch(const LaunchSpec &spec, KernelWriter::Body body) const {
    writer.launch(host, loc(), spec, body);
  }
};

// Text of a type for a key: "bf16".
std::string textOf(mlir::Type type);
// Bytes of `count` elements (an index value on the host).
mlir::Value bytesOf(const Kernel &kernel, mlir::Value count,
                    mlir::Type element);

using KernelTable = kernels::KernelTable<Kernel>;

} // namespace nibble::device
