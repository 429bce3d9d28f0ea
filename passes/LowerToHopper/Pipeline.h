// Stage lower-to-hopper: from tensors to launches and kernels of the nvvm
// dialect, in three parts with bufferization (passes/Bufferize) behind the
// first.
#pragma once

namespace mlir {
class OpPassManager;
}

namespace nibble::hopper {

// On tensors: the layout of packed weights; gradients that matrix instructions
// take.
void buildHopperTensorPipeline(mlir::OpPassManager &pm);
// From kernel.compute and linalg over buffers to hopper.launch and gpu.func.
void buildHopperKernelsPipeline(mlir::OpPassManager &pm);
// The kernels to nvvm and llvm.
void buildHopperNVVMPipeline(mlir::OpPassManager &pm);

} // namespace nibble::hopper
