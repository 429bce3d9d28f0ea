// Imports a Hugging Face configuration as a module of the nn dialect.
#pragma once

#include "runtime/formats/model/model_config.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace nibble::huggingface {

struct ImportOptions {
  // Whether weights and activations are float32 instead of bf16. Logits are
  // float32 either way.
  bool float32 = false;
  int64_t kvBlock = 64; // keys per block of attention (N14)
};

// Builds the functions below. Arguments carry the checkpoint's names
// (nn.parameter, nn.input), and the module carries the configuration
// (nn.model).
//
// - @layer: one decoder layer, from x [T, E], cos and sin [T, D/2], positions
//   [T], sequences [S+1] and the layer's weights to [T, E]. Called once per
//   layer. The nn.parameter names of its weights are relative to
//   "model.layers.<i>.".
// - @hidden: from tokens, positions, sequences and all parameters to [T, E]
//   after the final norm.
// - @logits: from the same arguments to float32 [T, V].
//
// Each kind of layer has a function of its own; ModelConfig::layers says what
// distinguishes kinds. Layers that attend within a window of w positions call
// @layer_window<w>. A second kind with the same window is called @layer_2.
//
// Null after a diagnostic when the configuration cannot be built: heads that do
// not divide, an odd head size, or a model type without a family.
mlir::OwningOpRef<mlir::ModuleOp>
buildModule(mlir::MLIRContext &context, const ModelConfig &config,
            const ImportOptions &options = {});

} // namespace nibble::huggingface
