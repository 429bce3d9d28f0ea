// The recorded tokenizers of test/fixtures/tokenizers.
#pragma once

#include "runtime/formats/tokenizer/tokenizer.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace nibble {

inline std::string tokenizerFixture(const std::string &style,
                                    const std::string &file) {
  return std::string(NIBBLE_TEST_DATA) + "/fixtures/tokenizers/" + style + "/" +
         file;
}

inline std::string contentOf(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Tokenizer loadFixture(const std::string &style) {
  Result<Tokenizer> tokenizer =
      Tokenizer::load(tokenizerFixture(style, "tokenizer.json"));
  EXPECT_TRUE(tokenizer.isOk()) << tokenizer.status().message();
  return *std::move(tokenizer);
}

} // namespace nibble
