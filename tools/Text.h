// Text at the edges of the commands: a checkpoint's tokenizer and what ends a text.
#pragma once

#include "runtime/formats/model_config.h"
#include "runtime/formats/tokenizer.h"

namespace nibble {

// Bad input when the tokenizer knows more tokens than the model.
inline Result<Tokenizer> loadTokenizer(const std::string &folder, const ModelConfig &config) {
  NIBBLE_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
  if (tokenizer.vocabularySize() > config.vocabSize)
    return Status::badInput(folder + ": tokenizer.json has " + std::to_string(tokenizer.vocabularySize()) +
                            " tokens, config.json a vocabulary of " + std::to_string(config.vocabSize) +
                            "; they are not of the same model");
  return tokenizer;
}

// End-of-text tokens of a model. Bad input when it has none: nothing would ever end.
inline Result<std::vector<int32_t>> stopTokensOf(const ModelConfig &config, const std::string &folder) {
  std::vector<int32_t> tokens(config.eosTokens.begin(), config.eosTokens.end());
  if (tokens.empty())
    return Status::badInput(folder + ": neither config.json nor generation_config.json has an eos_token_id; add one");
  return tokens;
}

} // namespace nibble
