// How an emitter accesses its op, and how a launch is emitted.
#include "passes/LowerToDevice/Emit/Kernels.h"

#include "passes/LowerToDevice/Emit/InlineAssembly.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace nibble::device {

KernelWriter::KernelWriter(ModuleOp module, const GpuTarget &target)
    : target_(target) {
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  UnitAttr::get(module.getContext()));
  OpBuilder b(module.getContext());
  kernels_ = gpu::GPUModuleOp::create(b, module.getLoc(), "kernels");
  SymbolTable(module).insert(
      kernels_); // renamed when a function is called kernels
}

// Numbers of the launch's arguments that are one of `buffers` or a tensor map
// of one; null when there is none.
static DenseI32ArrayAttr numbersOf(OpBuilder &host, ArrayRef<Value> arguments,
                                   ArrayRef<Value> buffers) {
  SmallVector<int32_t> numbers;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto map = argument.getDefiningOp<hopper::TensorMapOp>();
    if (llvm::is_contained(buffers, map ? map.getBuffer() : argument))
      numbers.push_back(static_cast<int32_t>(i));
  }
  return numbers.empty() ? DenseI32ArrayAttr()
                         : host.getDenseI32ArrayAttr(numbers);
}

void KernelWriter::launch(OpBuilder &host, Location loc, const LaunchSpec &spec,
                          Body body) {
  gpu::GPUFuncOp &kernel = written_[spec.key];
  if (!kernel) {
    OpBuilder b(kernels_.getContext());
    b.setInsertionPointToEnd(kernels_.getBody());
    SmallVector<Type> types;
    for (Value argument : spec.arguments) {
      if (isa<hopper::TensorMapType>(argument.getType()))
        types.push_back(LLVM::LLVMPointerType::get(b.getContext()));
      else if (isa<MemRefType>(argument.getType()))
        types.push_back(LLVM::LLVMPointerType::get(b.getContext(), 1));
      else
        types.push_back(b.getI64Type());
    }
    if (!spec.table.empty())
      types.push_back(LLVM::LLVMPointerType::get(b.getContext()));
    std::string name = spec.key + "_" + std::to_string(written_.size() - 1);
    kernel = gpu::GPUFuncOp::create(b, loc, name, b.getFunctionType(types, {}));
    kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
    kernel->setAttr(hopper::kThreadsAttr, b.getI64IntegerAttr(spec.threads));
    kernel->setAttr(hopper::kSharedBytesAttr,
                    b.getI64IntegerAttr(spec.sharedBytes));
    kernel->setAttr(hopper::kClusterAttr, b.getI64IntegerAttr(spec.cluster));
    if (spec.blocksPerSM > 1)
      kernel->setAttr(hopper::kBlocksPerSMAttr,
                      b.getI64IntegerAttr(spec.blocksPerSM));
    kernel->setAttr(hopper::kOverlapAttr, b.getUnitAttr());
    if (!spec.table.empty())
      kernel->setAttr(hopper::kTableAttr,
                      b.getI64IntegerAttr(spec.table.size()));
    if (spec.report)
      kernel->setAttr(hopper::kReportAttr, spec.report);
    Emitter e(loc, b.getContext());
    e.setInsertionPointToStart(&kernel.getBody().front());
    SmallVector<Value> arguments;
    for (auto [i, argument] : llvm::enumerate(spec.arguments)) {
      if (isa<hopper::TensorMapType>(argument.getType()))
        kernel.setArgAttr(i, hopper::kTensorMapAttr, b.getUnitAttr());
      Value value = kernel.getArgument(i);
      arguments.push_back(value.getType().isInteger(64) ? e.narrow(value)
                                                        : value);
    }
    if (!spec.table.empty())
      arguments.push_back(kernel.getArguments().back());
    // The blocks are resident when the previous kernel ends. On a device a
    // launch takes longer than many row kernels run.
    if (!spec.fetchesEarly) {
      waitForKernelBefore(e);
      letNextKernelBegin(e);
    }
    body(e, arguments);
    e.setInsertionPointToEnd(&kernel.getBody().front());
    gpu::ReturnOp::create(e);
  }
  SmallVector<Value> grid = spec.grid;
  while (grid.size() < 3)
    grid.push_back(arith::ConstantIndexOp::create(host, loc, 1));
  auto symbol = SymbolRefAttr::get(kernels_.getNameAttr(),
                                   {SymbolRefAttr::get(kernel.getNameAttr())});
  SmallVector<Value> given =
      llvm::to_vector(llvm::concat<const Value>(spec.arguments, spec.table));
  hopper::LaunchOp::create(host, loc, symbol, grid[0], grid[1], grid[2], given,
                           spec.operations, spec.touches,
                           numbersOf(host, given, spec.partly),
                           numbersOf(host, given, spec.consumed));
}

Value Kernel::index(int64_t value) const {
  return arith::ConstantIndexOp::create(host, loc(), value);
}

Value Kernel::extent(Value buffer, int64_t dimension) const {
  return host.createOrFold<memref::DimOp>(loc(), buffer, index(dimension));
}

Value Kernel::mul(Value a, Value b) const {
  return host.createOrFold<arith::MulIOp>(loc(), a, b);
}

Value Kernel::blocksIfAny(Value count, Value blocks) const {
  return mul(host.createOrFold<arith::MinUIOp>(loc(), count, index(1)), blocks);
}

Value Kernel::ceilDiv(Value a, int64_t b) const {
  return host.createOrFold<arith::CeilDivUIOp>(loc(), a, index(b));
}

Value Kernel::scratch(ArrayRef<int64_t> shape, ValueRange dynamic,
                      Type element) const {
  return memref::AllocOp::create(host, loc(), MemRefType::get(shape, element),
                                 dynamic, host.getI64IntegerAttr(64));
}

std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

Value bytesOf(const Kernel &kernel, Value count, Type element) {
  return kernel.mul(count, kernel.index(element.getIntOrFloatBitWidth() / 8));
}

} // namespace nibble::device
