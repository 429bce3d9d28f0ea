// Opens the parts of a checkpoint folder. All commands share these functions,
// so they give the same verdicts and warnings.
#pragma once

#include "runtime/formats/tokenizer/model_text.h"
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

// Opens configuration and weights. Warnings go to standard error.
inline Result<std::unique_ptr<Model>> openModel(const std::string &folder) {
  NIBBLE_ASSIGN(auto model, Model::open(folder));
  printWarnings(model->config().warnings);
  return model;
}

// Prints the warning of roundingWarning, if there is one.
inline Status printRounding(const Model &model, const GridChoice &choice) {
  NIBBLE_ASSIGN(std::string warning,
                roundingWarning(model.checkpoint(), choice));
  if (!warning.empty())
    printWarning(warning);
  return Status::ok();
}

// Opens the tokenizer and the tokens that end a text. Warnings go to standard
// error.
inline Result<ModelText> loadText(const std::string &folder,
                                  const ModelConfig &config) {
  return loadModelText(folder, config, printWarning);
}

} // namespace nibble
