// Windows of attention as llama's and Qwen's configurations spell them.
#pragma once

#include "runtime/formats/model/config_reader.h"
#include "runtime/formats/model/decoder_layer.h"

#include <vector>

namespace nibble {

// Sets the window of every layer. `sliding_window` counts only with
// `use_sliding_window`: in the layers that `layer_types` calls
// sliding_attention, else from layer `max_window_layers` on. `firstLayer` is
// the latter's default. Bad input for a list of another length, for a type of
// layer that is neither full_attention nor sliding_attention, and for sliding
// layers without a window.
Status readWindows(ConfigReader &fields, int64_t firstLayer,
                   std::vector<DecoderLayer> &layers);

} // namespace nibble
