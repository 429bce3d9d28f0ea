// Attention windows in the spelling of llama's and Qwen's configurations.
#pragma once

#include "runtime/formats/model/config_reader.h"
#include "runtime/formats/model/decoder_layer.h"

#include <vector>

namespace nibble {

// Sets the window of every layer. `sliding_window` counts only with
// `use_sliding_window`. It applies to the layers that `layer_types` calls
// sliding_attention, else from layer `max_window_layers` on, whose default is
// `firstLayer`. Bad input for a list of another length, for sliding layers
// without a window, and for unknown types of layer. The known types are
// full_attention and sliding_attention.
Status readWindows(ConfigReader &fields, int64_t firstLayer,
                   std::vector<DecoderLayer> &layers);

} // namespace nibble
