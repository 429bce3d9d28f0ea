// Qwen2 and Qwen2.5. q, k and v always have a bias, and nothing else has one.
// Later layers may attend within a window.
#include "runtime/formats/model/attention_windows.h"
#include "runtime/formats/model/family.h"

namespace nibble {

static Status describeLayers(ConfigReader &fields, ModelConfig &model) {
  NIBBLE_TRY(readWindows(fields, /*firstLayer=*/28, model.layers));
  // Some files set this flag although q, k and v always have a bias.
  NIBBLE_TRY(fields.flagOr("attention_bias", false).takeStatus());
  NIBBLE_ASSIGN(bool mlpBias, fields.flagOr("mlp_bias", false));
  if (mlpBias)
    return fields.unsupported("mlp_bias is true, which qwen2 does not have");
  for (DecoderLayer &layer : model.layers)
    layer.qkvBias = true;
  return Status::ok();
}

namespace families {
ModelFamily qwen2() {
  return {.modelType = "qwen2",
          .maxPositions = 32768,
          .describeLayers = describeLayers};
}
} // namespace families

} // namespace nibble
