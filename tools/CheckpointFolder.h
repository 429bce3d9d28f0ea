// What the commands open of a checkpoint folder, each in one way: the same
// verdict and the same warnings everywhere.
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

// The tokenizer and the tokens that end a text; warnings go to standard error.
inline Result<ModelText> loadText(const std::string &folder,
                                  const ModelConfig &config) {
  return loadModelText(folder, config, printWarning);
}

} // namespace nibble
