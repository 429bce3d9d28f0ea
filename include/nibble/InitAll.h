// Registers everything that Nibble's tools know: dialects, interface models,
// passes, pipelines.
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace nibble {

// Our dialects, the upstream dialects that our stages use, and every interface
// model (gradients, bufferization, translation).
void registerAllDialects(mlir::DialectRegistry &registry);

// Our passes and pipelines, and the upstream passes that the documents and the
// tests name.
void registerAllPasses();

} // namespace nibble
