// The passes of stage lower-to-hopper in order.
#include "passes/LowerToHopper/Pipeline.h"

#include "passes/LowerToHopper/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void nibble::hopper::buildHopperTensorPipeline(OpPassManager &pm) {
  pm.addPass(createFuseLaunchesPass());
  pm.addPass(createChoosePackedLayoutPass());
  pm.addPass(createRoundGradientsPass());
}

void nibble::hopper::buildHopperKernelsPipeline(OpPassManager &pm) {
  pm.addPass(createEmitHopperKernelsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void nibble::hopper::buildHopperNVVMPipeline(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createLowerHopperPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createSCFToControlFlowPass());
  ConvertToLLVMPassOptions convert;
  convert.filterDialects = {"arith", "cf", "math"};
  kernels.addPass(createConvertToLLVMPass(convert));
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
}
