// The tokens of PTX text: words, numbers and signs.
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
  // A word, a string (without quotes) or a sign (one character).
  std::string_view text;
  uint64_t bits = 0; // value of a number
  uint32_t line = 0;
};

// Splits the text; the last token is kEnd. A character that begins no token
// becomes a sign, which the parser refuses.
std::vector<Token> tokenize(std::string_view text);

} // namespace nibble::simt
