// The table of the byte-level alphabet in both directions.
#include "runtime/formats/tokenizer/byte_level.h"

#include "runtime/formats/tokenizer/utf8.h"

#include <array>

namespace nibble {
namespace {

struct Alphabet {
  std::array<std::string, 256> characters;
  // The byte of a code point below 0x100 + 68, or -1.
  std::array<int16_t, 0x100 + 68> bytes;

  Alphabet() {
    bytes.fill(-1);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= 0x21 && byte <= 0x7E) ||
                       (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      char32_t codePoint = printable ? static_cast<char32_t>(byte) : next++;
      appendUtf8(codePoint, characters[byte]);
      bytes[codePoint] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet &alphabet() {
  static const Alphabet instance;
  return instance;
}

} // namespace

std::string_view byteCharacter(uint8_t byte) {
  return alphabet().characters[byte];
}

std::optional<std::string> fromByteAlphabet(std::string_view text) {
  const auto &bytes = alphabet().bytes;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    Utf8Step step = stepUtf8(text.substr(at));
    if (step.kind != Utf8Step::Kind::kCharacter ||
        step.codePoint >= bytes.size() || bytes[step.codePoint] < 0)
      return std::nullopt;
    out.push_back(static_cast<char>(bytes[step.codePoint]));
    at += step.bytes;
  }
  return out;
}

} // namespace nibble
