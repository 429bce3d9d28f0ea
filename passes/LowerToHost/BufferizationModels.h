// Teaches one-shot bufferization the ops of nn and qat: each becomes a host.kernel over buffers.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace nibble::host {

void registerBufferizationModels(mlir::DialectRegistry &registry);

} // namespace nibble::host
