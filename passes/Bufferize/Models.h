// Teaches one-shot bufferization the ops of nn and qat: each becomes a
// kernel.compute over buffers.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace nibble {

void registerBufferizationModels(mlir::DialectRegistry &registry);

} // namespace nibble
