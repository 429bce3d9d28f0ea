// A checkpoint's tokenizer, as the loops want it.
#pragma once

#include "runtime/formats/model_config.h"
#include "runtime/formats/tokenizer.h"
#include "runtime/rl/environment.h"

namespace nibble {

class TokenizerCodec final : public TextCodec {
public:
  // Bad input when the tokenizer knows more tokens than the model.
  static Result<TokenizerCodec> load(const std::string &folder, const ModelConfig &config) {
    NIBBLE_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
    if (tokenizer.vocabularySize() > config.vocabSize)
      return Status::badInput(folder + ": tokenizer.json has " + std::to_string(tokenizer.vocabularySize()) +
                              " tokens, config.json a vocabulary of " + std::to_string(config.vocabSize) +
                              "; they are not of the same model");
    return TokenizerCodec(std::move(tokenizer));
  }

  Result<std::vector<int32_t>> encode(std::string_view text, bool isPrompt) const override {
    return tokenizer_.encode(text, isPrompt);
  }
  std::string decode(std::span<const int32_t> tokens) const override { return tokenizer_.decode(tokens, true); }
  const Tokenizer &tokenizer() const { return tokenizer_; }

private:
  explicit TokenizerCodec(Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Tokenizer tokenizer_;
};

// End-of-text tokens of a model. Bad input when it has none: nothing would ever end.
inline Result<std::vector<int32_t>> stopTokensOf(const ModelConfig &config, const std::string &folder) {
  std::vector<int32_t> tokens(config.eosTokens.begin(), config.eosTokens.end());
  if (tokens.empty())
    return Status::badInput(folder + ": neither config.json nor generation_config.json has an eos_token_id; add one");
  return tokens;
}

} // namespace nibble
