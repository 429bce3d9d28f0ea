#include "include/nibble/InitAll.h"

#include "dialects/Check/Check.h"
#include "dialects/Host/Host.h"
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "lib/Frontend/Linalg/Passes.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"
#include "passes/Fuse/Passes.h"
#include "passes/LowerToHost/BufferizationModels.h"
#include "passes/LowerToHost/Passes.h"
#include "passes/LowerToHost/Pipeline.h"
#include "passes/Pipelines.h"
#include "passes/Quantize/Passes.h"
#include "passes/Rollout/Passes.h"
#include "passes/Verify/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

using namespace mlir;

void nibble::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<qat::QATDialect, nn::NNDialect, check::CheckDialect, host::HostDialect>();
  host::registerBufferizationModels(registry);
  registerGradientModels(registry);
}

void nibble::registerAllPasses() {
  mlir::registerAllPasses();
  registerNibbleLinalgPasses();
  registerNibbleQuantizePasses();
  registerNibbleDifferentiatePasses();
  registerNibbleRolloutPasses();
  registerNibbleFusePasses();
  registerNibbleLowerToHostPasses();
  registerNibbleVerifyPasses();
  host::registerHostPipelines();
  registerStagePipelines();
}
