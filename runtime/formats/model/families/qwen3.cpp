// Qwen3, the dense models. Every head of q and k has an RMS norm. The file
// chooses whether attention has a bias. Later layers may attend within a
// window.
#include "runtime/formats/model/attention_windows.h"
#include "runtime/formats/model/family.h"

namespace nibble {

static Status describeLayers(ConfigReader &fields, ModelConfig &model) {
  NIBBLE_TRY(readWindows(fields, /*firstLayer=*/28, model.layers));
  NIBBLE_ASSIGN(bool attentionBias, fields.flagOr("attention_bias", false));
  NIBBLE_ASSIGN(bool mlpBias, fields.flagOr("mlp_bias", false));
  if (mlpBias)
    return fields.unsupported("mlp_bias is true, which qwen3 does not have");
  for (DecoderLayer &layer : model.layers) {
    layer.qkvBias = layer.outputBias = attentionBias;
    layer.qkNorm = true;
  }
  return Status::ok();
}

namespace families {
ModelFamily qwen3() {
  return {.modelType = "qwen3",
          .maxPositions = 32768,
          .describeLayers = describeLayers};
}
} // namespace families

} // namespace nibble
