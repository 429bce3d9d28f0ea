// What the commands open of a checkpoint folder, each in one way: the same
// verdict and the same warnings everywhere.
#pragma once

#include "runtime/formats/model/model_config.h"
#include "runtime/formats/tokenizer/tokenizer.h"
#include "runtime/train/model.h"
#include "runtime/train/rounding.h"

#include <fmt/format.h>

namespace nibble {

inline void printWarning(const std::string &warning) {
  fmt::print(stderr, "nibble: warning: {}\n", warning);
}

inline void printWarnings(const std::vector<std::string> &warnings) {
  for (const std::string &warning : warnings)
    printWarning(warning);
}

// Configuration and weights; warnings go to standard error.
inline Result<std::unique_ptr<Model>> openModel(const std::string &folder) {
  NIBBLE_ASSIGN(auto model, Model::open(folder));
  printWarnings(model->config().warnings);
  return model;
}

// The warning of roundingWarning, where there is one.
inline Status printRounding(const Model &model, const GridChoice &choice) {
  NIBBLE_ASSIGN(std::string warning,
                roundingWarning(model.checkpoint(), choice));
  if (!warning.empty())
    printWarning(warning);
  return Status::ok();
}

// Text at the edges of a command: the tokenizer, and the tokens that end a
// text.
struct TextParts {
  Tokenizer tokenizer;
  std::vector<int32_t> stopTokens;
};

// Bad input when the tokenizer knows more tokens than the model, or when no
// token ends a text: nothing would ever end.
inline Result<TextParts> loadText(const std::string &folder,
                                  const ModelConfig &config) {
  NIBBLE_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
  for (const std::string &warning : tokenizer.warnings())
    printWarnings({folder + ": tokenizer.json: " + warning});
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
  return TextParts{std::move(tokenizer),
                   {config.eosTokens.begin(), config.eosTokens.end()}};
}

} // namespace nibble
