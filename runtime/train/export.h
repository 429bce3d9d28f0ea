// The weights of a run as a Hugging Face checkpoint.
#pragma once

#include "runtime/train/parameters.h"

namespace nibble {

// Writes folder `target` (which must not exist, and appears whole or not at
// all) with the weights of `store` in bf16, the masters rounded, under the
// names of the checkpoint; config.json and what stands beside the weights are
// those of folder `source`, less a quantization_config.
Status exportCheckpoint(const ParameterStore &store, const std::string &source,
                        const std::string &target);

} // namespace nibble
