// The weights of a run as a Hugging Face checkpoint.
#pragma once

#include "runtime/train/parameters.h"

namespace nibble {

// Writes folder `target`, which must not exist and appears whole or not at all.
// The weights are the masters of `store` rounded to bf16, under the
// checkpoint's names. config.json, without its quantization_config, and the
// other files come from folder `source`.
Status exportCheckpoint(const ParameterStore &store, const std::string &source,
                        const std::string &target);

} // namespace nibble
