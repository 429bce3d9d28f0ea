#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"

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
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.bufferAlignment = 64;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(), options, state)))
      return signalPassFailure();
    // State comes back in the buffer it came in with: such a result says nothing and is dropped.
    OpPassManager clean(ModuleOp::getOperationName());
    clean.addPass(bufferization::createDropEquivalentBufferResultsPass());
    if (failed(runPipeline(clean, getOperation())))
      signalPassFailure();
  }
};

} // namespace
