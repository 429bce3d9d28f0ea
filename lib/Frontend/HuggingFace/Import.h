// A Hugging Face configuration as a module of the nn dialect.
#pragma once

#include "runtime/formats/model/model_config.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace nibble::huggingface {

struct ImportOptions {
  bool float32 = false; // element type of weights and activations: float32
                        // instead of bf16; logits are float32 either way
  int64_t kvBlock = 64; // keys per block of attention (N14)
};

// Builds
//   @layer   one decoder layer: (x [T,E], cos, sin [T,D/2], positions [T],
//   sequences [S+1], its weights) -> [T,E]; called once per
//            layer. Its weights carry nn.parameter names relative to
//            "model.layers.<i>.".
//   @hidden  (tokens, positions, sequences, all parameters) -> [T,E] after the
//   final norm
//   @logits  (the same) -> float32 [T,V]
// with the checkpoint's names on the arguments (nn.parameter, nn.input) and the
// configuration as nn.model.
//
// There is one function for each kind of layer, a kind being what
// ModelConfig::layers says of it: those that attend within a window of w
// positions call @layer_window<w>, and of two kinds with the same window the
// second is @layer_2.
//
// Null after a diagnostic when the configuration cannot be built: heads that do
// not divide, an odd head, a model type that no family has.
mlir::OwningOpRef<mlir::ModuleOp>
buildModule(mlir::MLIRContext &context, const ModelConfig &config,
            const ImportOptions &options = {});

} // namespace nibble::huggingface
