// Bufferization of the ops of nn and qat: each becomes a kernel.compute on
// buffers.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace nibble {

void registerBufferizationModels(mlir::DialectRegistry &registry);

} // namespace nibble
