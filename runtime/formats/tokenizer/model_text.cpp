// Loads the tokenizer of a checkpoint folder and checks it against the model.
#include "runtime/formats/tokenizer/model_text.h"

namespace nibble {

Result<ModelText>
loadModelText(const std::string &folder, const ModelConfig &config,
              const std::function<void(const std::string &)> &warn) {
  NIBBLE_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
  for (const std::string &warning : tokenizer.warnings())
    warn(folder + ": tokenizer.json: " + warning);
  if (tokenizer.vocabularySize() > config.vocabSize)
    return Status::badInput(folder + ": tokenizer.json has " +
                            std::to_string(tokenizer.vocabularySize()) +
                            " tokens, config.json a vocabulary of " +
                            std::to_string(config.vocabSize) +
                            "; they are not of the same model");
  if (config.eosTokens.empty())
    return Status::badInput(folder +
                            ": neither config.json nor generation_config.json "
                            "has an eos_token_id; add one");
  return ModelText{std::move(tokenizer),
                   {config.eosTokens.begin(), config.eosTokens.end()}};
}

} // namespace nibble
