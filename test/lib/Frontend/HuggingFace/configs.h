// Small configurations of each family.
#pragma once

#include "runtime/formats/model/model_config.h"
#include "test/runtime/formats/model/base_config.h"

#include <gtest/gtest.h>

namespace nibble::huggingface {

// The configuration that the family parses, with heads * head_dim different
// from hidden_size.
inline ModelConfig smallConfig(const std::string &modelType) {
  Json json = nibble::testing::base(modelType.c_str());
  json["vocab_size"] = 100;
  json["head_dim"] = 32;
  auto config = ModelConfig::parse(json, "config.json");
  EXPECT_TRUE(config.isOk()) << config.status().message();
  return config.isOk() ? *config : ModelConfig();
}

} // namespace nibble::huggingface
