// The pipeline from tensors to buffers, with which every target begins.
#pragma once

namespace mlir {
class OpPassManager;
}

namespace nibble {

// Leaves kernel.compute and linalg ops on row-major buffers, and allocations
// that nothing frees.
void buildBufferizePipeline(mlir::OpPassManager &pm);

// --nibble-bufferize
void registerBufferizePipeline();

} // namespace nibble
