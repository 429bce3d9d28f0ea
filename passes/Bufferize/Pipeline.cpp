// The order of the bufferization passes.
#include "passes/Bufferize/Pipeline.h"

#include "passes/Bufferize/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nibble::buildBufferizePipeline(OpPassManager &pm) {
  pm.addPass(createDecomposeTensorsPass());
  // Each elementwise chain on tensors (objectives, imported linalg) becomes one
  // loop.
  pm.addNestedPass<func::FuncOp>(createConvertElementwiseToLinalgPass());
  pm.addNestedPass<func::FuncOp>(createLinalgElementwiseOpFusionPass());
  pm.addPass(createCSEPass());
  // Unused inits of linalg ops must not become allocations that are copied.
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  pm.addNestedPass<func::FuncOp>(
      bufferization::createEmptyTensorToAllocTensorPass());
  pm.addPass(createBufferizeModulePass());
  pm.addPass(createForwardCopiesPass());
}

void nibble::registerBufferizePipeline() {
  PassPipelineRegistration<>(
      "nibble-bufferize",
      "Tensors to buffers, each nn and qat op to one kernel.compute",
      [](OpPassManager &pm) { buildBufferizePipeline(pm); });
}
