#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"

namespace nibble {
#define GEN_PASS_DEF_BUFFERIZEFORHOSTPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class BufferizeForHost final : public nibble::impl::BufferizeForHostPassBase<BufferizeForHost> {
public:
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<bufferization::BufferizationDialect, memref::MemRefDialect, nibble::host::HostDialect>();
  }

  void runOnOperation() override {
    recordPackedArguments();
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.bufferAlignment = 64;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(), options, state)))
      return signalPassFailure();
    // State comes back in the buffer it came in with: such a result says nothing and is dropped. Upstream spares public functions, whose
    // callers it cannot see; ours are called through the program's table, which is read after this.
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        entries.push_back(function);
    for (func::FuncOp entry : entries)
      entry.setPrivate();
    LogicalResult dropped = bufferization::dropEquivalentBufferResults(getOperation());
    for (func::FuncOp entry : entries)
      entry.setPublic();
    if (failed(dropped))
      signalPassFailure();
  }

private:
  // A packed argument becomes bytes: what they mean stays readable on the argument, for the program's table.
  void recordPackedArguments() {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (auto packed = dyn_cast<nibble::qat::PackedType>(function.getArgument(i).getType()))
          function.setArgAttr(i, nibble::nn::kPackedAttr, TypeAttr::get(packed));
  }
};

} // namespace
