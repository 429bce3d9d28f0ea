// UTF-8 and the few Unicode properties that a tokenizer asks for.
#pragma once

#include "runtime/core/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// What stands for bytes that are not UTF-8: U+FFFD.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// One step of a decoder.
struct Utf8Step {
  enum class Kind {
    kCharacter, // `bytes` bytes are one character, `codePoint`
    kInvalid, // `bytes` bytes are a maximal ill-formed part (Unicode 3.9, table
              // 3-8): one U+FFFD
    kIncomplete // the text ends inside what may become a character: all `bytes`
                // bytes that are left
  };
  Kind kind;
  int bytes;
  char32_t codePoint;
};

// The step at the start of `text`, which must not be empty.
Utf8Step stepUtf8(std::string_view text);

// Offset of the first byte that is not UTF-8 (an unfinished character at the
// end is not); nullopt when there is none.
std::optional<size_t> findInvalidUtf8(std::string_view text);

// Appends `bytes` to `out`, every maximal ill-formed part as U+FFFD. With
// `held`, a trailing unfinished character is moved there instead, to be put
// before the bytes that follow.
void appendLossy(std::string_view bytes, std::string &out,
                 std::string *held = nullptr);

// Appends the encoding of a code point (not a surrogate, at most U+10FFFF).
void appendUtf8(char32_t codePoint, std::string &out);

// Property White_Space.
bool isSpace(char32_t codePoint);
// Letter, mark, decimal or letter number, connector punctuation, join control:
// what `\w` means in a Unicode regular expression.
bool isWord(char32_t codePoint);

// General category Mark.
bool isMark(char32_t codePoint);
// Appends the lower case of one character, whatever stands beside it: Unicode's
// full mapping without conditions.
void appendLowercase(char32_t codePoint, std::string &out);
// Start of the character of valid UTF-8 that ends at `end` > 0.
size_t previousCharacter(std::string_view text, size_t end);

// The normalization forms of Unicode: D decomposes, C composes again, K does so
// by compatibility.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// A normalization form of valid UTF-8. Linear in time but for one sort of each
// run of combining marks, so that a text made of marks alone cannot stall it.
// Environment error when there is no memory for it.
Result<std::string> normalizeUnicode(std::string_view text, UnicodeForm form);

} // namespace nibble
