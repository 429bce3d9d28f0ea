// Registers every dialect, pass and pipeline of Nibble.
#include "include/nibble/InitAll.h"

#include "dialects/Check/Check.h"
#include "dialects/Hopper/Hopper.h"
#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "lib/Frontend/Linalg/Passes.h"
#include "passes/Bufferize/Models.h"
#include "passes/Bufferize/Passes.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"
#include "passes/Fuse/Passes.h"
#include "passes/LowerToHopper/Passes.h"
#include "passes/LowerToHost/Passes.h"
#include "passes/Pipelines.h"
#include "passes/Quantize/Passes.h"
#include "passes/Rollout/Passes.h"
#include "passes/Target/Passes.h"
#include "passes/Verify/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

using namespace mlir;

void nibble::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<qat::QATDialect, nn::NNDialect, check::CheckDialect,
                  host::HostDialect, kernel::KernelDialect,
                  hopper::HopperDialect>();
  registerBufferizationModels(registry);
  registerGradientModels(registry);
}

void nibble::registerAllPasses() {
  mlir::registerAllPasses();
  registerNibbleLinalgPasses();
  registerNibbleQuantizePasses();
  registerNibbleDifferentiatePasses();
  registerNibbleRolloutPasses();
  registerNibbleFusePasses();
  registerNibbleBufferizePasses();
  registerNibbleLowerToHostPasses();
  registerNibbleLowerToHopperPasses();
  registerNibbleTargetPasses();
  registerNibbleVerifyPasses();
  registerStagePipelines();
}
