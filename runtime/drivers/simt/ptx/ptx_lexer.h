// Words, numbers and signs of PTX text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace nibble::simt {

struct Token {
  enum Kind : uint8_t {
    kWord,
    kInteger,
    kFloat32,
    kFloat64,
    kString,
    kSign,
    kEnd
  } kind = kEnd;
  std::string_view
      text; // of a word, a string (without quotes) or a sign (one character)
  uint64_t bits = 0; // of a number
  uint32_t line = 0;
};

// The last token is kEnd. A character that begins no token becomes a sign; the
// parser refuses it.
std::vector<Token> tokenize(std::string_view text);

} // namespace nibble::simt
