// Stage lower-to-hopper: from tensors to launches and kernels of the nvvm
// dialect. It has three parts; bufferization (passes/Bufferize) runs after the
// first.
#pragma once

namespace mlir {
class OpPassManager;
}

namespace nibble::hopper {

// On tensors: merges launches, chooses the layout of packed weights, and rounds
// gradients for matrix instructions.
void buildHopperTensorPipeline(mlir::OpPassManager &pm);
// From kernel.compute and linalg on buffers to hopper.launch and gpu.func.
void buildHopperKernelsPipeline(mlir::OpPassManager &pm);
// From the kernels to nvvm and llvm.
void buildHopperNVVMPipeline(mlir::OpPassManager &pm);

} // namespace nibble::hopper
