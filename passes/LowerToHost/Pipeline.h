// Stage lower-to-host: from buffers to the LLVM dialect, for the CPU in the
// module's kernel.target.
#pragma once

namespace mlir {
class OpPassManager;
}

namespace nibble::host {

// From kernel.compute and linalg on buffers (passes/Bufferize) to loops, with
// kernels outlined and emitted; still func, scf, vector and memref. With
// `profile` each kernel is timed.
void buildHostLoopsPipeline(mlir::OpPassManager &pm, bool profile = false);
// From there to the LLVM dialect with OpenMP regions.
void buildHostLLVMPipeline(mlir::OpPassManager &pm);

} // namespace nibble::host
