// The text side of a checkpoint folder: its tokenizer, and the tokens that end
// a text.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/model/model_config.h"
#include "runtime/formats/tokenizer/tokenizer.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nibble {

struct ModelText {
  Tokenizer tokenizer;
  std::vector<int32_t> stopTokens;
};

// `warn` receives each warning about the tokenizer as one line. Bad input when
// the tokenizer has more tokens than the model. Likewise when no token ends a
// text, because generation would then never stop.
Result<ModelText>
loadModelText(const std::string &folder, const ModelConfig &config,
              const std::function<void(const std::string &)> &warn);

} // namespace nibble
