// Llama 1 to 3, and models saved in the same form. The file chooses which
// biases exist.
#include "runtime/formats/model/attention_windows.h"
#include "runtime/formats/model/family.h"

namespace nibble {

static Status describeLayers(ConfigReader &fields, ModelConfig &model) {
  // Llama itself has no window. A file that enables windows means them.
  if (!fields.has("use_sliding_window") && fields.find("sliding_window"))
    return fields.unsupported("sliding_window is set");
  NIBBLE_TRY(readWindows(fields, /*firstLayer=*/0, model.layers));
  NIBBLE_ASSIGN(bool attentionBias, fields.flagOr("attention_bias", false));
  NIBBLE_ASSIGN(bool mlpBias, fields.flagOr("mlp_bias", false));
  for (DecoderLayer &layer : model.layers) {
    layer.qkvBias = layer.outputBias = attentionBias;
    layer.mlpBias = mlpBias;
  }
  return Status::ok();
}

namespace families {
ModelFamily llama() {
  return {.modelType = "llama",
          .maxPositions = 2048,
          .describeLayers = describeLayers};
}
} // namespace families

} // namespace nibble
