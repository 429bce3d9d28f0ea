// UTF-8 and the few Unicode properties that tokenizers need.
#pragma once

#include "runtime/core/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// The replacement for bytes that are not UTF-8: U+FFFD.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// One step of a decoder.
struct Utf8Step {
  enum class Kind {
    kCharacter, // `bytes` bytes form one character, `codePoint`
    // `bytes` bytes are a maximal ill-formed part (Unicode 3.9, table 3-8),
    // which becomes one U+FFFD.
    kInvalid,
    // The text ends inside a possible character, which is all of the remaining
    // `bytes` bytes.
    kIncomplete
  };
  Kind kind;
  int bytes;
  char32_t codePoint;
};

// Decodes the start of `text`, which must not be empty.
Utf8Step stepUtf8(std::string_view text);

// Offset of the first byte that is not UTF-8, or nullopt. An unfinished
// character at the end is not UTF-8.
std::optional<size_t> findInvalidUtf8(std::string_view text);

// Appends `bytes` to `out` and replaces every maximal ill-formed part by
// U+FFFD. With `held`, an unfinished character at the end is moved there
// instead; it belongs before the bytes that follow.
void appendLossy(std::string_view bytes, std::string &out,
                 std::string *held = nullptr);

// Appends the encoding of a code point (not a surrogate, at most U+10FFFF).
void appendUtf8(char32_t codePoint, std::string &out);

// The property White_Space.
bool isSpace(char32_t codePoint);
// Whether `\w` matches in a Unicode regular expression: letter, mark, decimal
// or letter number, connector punctuation, join control.
bool isWord(char32_t codePoint);

// The general category Mark.
bool isMark(char32_t codePoint);
// Appends the lower case of one character, independent of its neighbours:
// Unicode's full mapping without conditions.
void appendLowercase(char32_t codePoint, std::string &out);
// Start of the character that ends at `end` > 0 in valid UTF-8.
size_t previousCharacter(std::string_view text, size_t end);

// The normalization forms of Unicode. D decomposes, C composes again, and K
// uses compatibility mappings.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Converts valid UTF-8 to a normalization form. The time is linear except for
// one sort of each run of combining marks, so a text of marks alone cannot
// stall it. Environment error when there is no memory for it.
Result<std::string> normalizeUnicode(std::string_view text, UnicodeForm form);

} // namespace nibble
