// The passes of stage lower-to-host in order.
#include "passes/LowerToHost/Pipeline.h"

#include "passes/LowerToHost/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace nibble::host;

void nibble::host::buildHostLoopsPipeline(OpPassManager &pm, bool profile) {
  // The ownership of buffers is decided while kernels are still single ops with
  // declared effects.
  bufferization::BufferDeallocationPipelineOptions deallocation;
  bufferization::buildBufferDeallocationPipeline(pm, deallocation);
  // Lowers bufferization.clone, which copies a buffer that would otherwise have
  // two owners.
  pm.addPass(createConvertBufferizationToMemRefPass());
  pm.addPass(createLowerChecksPass());
  pm.addPass(createLowerCopiesPass());
  // Kernels are still single ops here.
  if (profile)
    pm.addPass(createProfileKernelsPass());
  pm.addPass(createWidenSumsPass());
  pm.addPass(createWalkInLanesPass());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createEmitHostKernelsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void nibble::host::buildHostLLVMPipeline(OpPassManager &pm) {
  pm.addPass(createLowerLaneLookupPass());
  pm.addPass(createConvertComplexToStandardPass());
  pm.addPass(createExpandElementaryPass());
  // No arithmetic in bf16: values are widened, computed in float32 and rounded.
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  emulate.targetTypeStr = "f32";
  pm.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  math::MathExtendToSupportedTypesOptions extend;
  pm.addPass(math::createMathExtendToSupportedTypes(extend));
  pm.addPass(createRoundToBf16Pass());
  // bf16 is widened and rounded with integers, because the CPU's own conversion
  // of subnormals breaks N5.
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addNestedPass<func::FuncOp>(createConvertVectorToSCFPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertSCFToOpenMPPass());
  pm.addPass(createHoistLocalBuffersPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  ConvertVectorToLLVMPassOptions vectors;
  vectors.reassociateFPReductions = false;
  pm.addPass(createConvertVectorToLLVMPass(vectors));
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  FinalizeMemRefToLLVMConversionPassOptions memory;
  memory.useGenericFunctions = true;
  memory.useAlignedAlloc = true;
  pm.addPass(createFinalizeMemRefToLLVMConversionPass(memory));
  pm.addPass(createConvertComplexToLLVMPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  // After all memory accesses exist.
  pm.addPass(createMoveAsIntegersPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}
