// Mistral 7B and what is saved in its form: no biases, and attention within a
// window in every layer.
#include "runtime/formats/model/family.h"

namespace nibble {

static Status describeLayers(ConfigReader &fields, ModelConfig &model) {
  // Later versions say null and have no window; transformers takes 4096 where
  // the file does not say.
  int64_t absent = fields.has("sliding_window") ? 0 : 4096;
  NIBBLE_ASSIGN(int64_t window,
                fields.integerOr("sliding_window", 1, INT32_MAX, absent));
  // Layers that differ are another family's, ministral.
  if (fields.find("layer_types"))
    return fields.unsupported(
        "layer_types is set, which mistral does not have");
  for (DecoderLayer &layer : model.layers)
    layer.window = window;
  return Status::ok();
}

namespace families {
ModelFamily mistral() {
  return {.modelType = "mistral",
          .maxPositions = 131072,
          .describeLayers = describeLayers};
}
} // namespace families

} // namespace nibble
