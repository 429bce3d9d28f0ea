// From tensors to buffers: what every target begins with.
#pragma once

namespace mlir {
class OpPassManager;
}

namespace nibble {

// Leaves kernel.compute and linalg ops over row-major buffers, allocations
// without owners.
void buildBufferizePipeline(mlir::OpPassManager &pm);

// --nibble-bufferize
void registerBufferizePipeline();

} // namespace nibble
