// Reads the attention window of each layer from a configuration.
#include "runtime/formats/model/attention_windows.h"

#include "runtime/formats/io.h"

#include <fmt/format.h>

namespace nibble {

Status readWindows(ConfigReader &fields, int64_t firstLayer,
                   std::vector<DecoderLayer> &layers) {
  NIBBLE_ASSIGN(bool usesWindow, fields.flagOr("use_sliding_window", false));
  NIBBLE_ASSIGN(int64_t first, fields.integerOr("max_window_layers", 0,
                                                kMostWidth, firstLayer));
  NIBBLE_ASSIGN(int64_t window,
                fields.integerOr("sliding_window", 0, INT32_MAX, 0));
  const Json *types = fields.find("layer_types");
  if (types && (!types->is_array() || types->size() != layers.size()))
    return Status::badInput(
        fmt::format("{}: layer_types is no list of {} layers; correct the file",
                    fields.where(), layers.size()));
  for (size_t i = 0; i < layers.size(); ++i) {
    bool slides = usesWindow && window > 0 && static_cast<int64_t>(i) >= first;
    if (types) {
      const Json &type = (*types)[i];
      if (type != "full_attention" && type != "sliding_attention")
        return fields.unsupported(fmt::format(
            "layer_types has {}", printable(type.dump(-1, ' ', true))));
      slides = type == "sliding_attention";
      if (slides && (!usesWindow || window == 0))
        return Status::badInput(fmt::format(
            "{}: layer_types has sliding_attention but use_sliding_window or "
            "sliding_window is not set; correct the file",
            fields.where()));
    }
    layers[i].window = slides ? window : 0;
  }
  return Status::ok();
}

} // namespace nibble
