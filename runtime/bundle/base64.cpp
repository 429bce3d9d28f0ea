// Encodes and decodes base64.
#include "runtime/bundle/base64.h"

#include <array>
#include <cstdint>

namespace nibble {

static constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t j = 0; j < 3; ++j)
      word = word << 8 |
             (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j)
      text += j <= bytes.size() - i ? kDigits[word >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::optional<std::string> fromBase64(std::string_view text) {
  static const auto values = [] {
    std::array<int8_t, 256> table;
    table.fill(-1);
    for (size_t i = 0; i < kDigits.size(); ++i)
      table[static_cast<uint8_t>(kDigits[i])] = static_cast<int8_t>(i);
    return table;
  }();
  if (text.size() % 4 != 0)
    return std::nullopt;
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t word = 0;
    for (size_t j = 0; j < 4; ++j) {
      bool padded = i + j + padding >= text.size();
      int8_t value = padded ? 0 : values[static_cast<uint8_t>(text[i + j])];
      if (value < 0)
        return std::nullopt;
      word = word << 6 | static_cast<uint32_t>(value);
    }
    for (size_t j = 0; j < 3; ++j)
      bytes += static_cast<char>(word >> (16 - 8 * j));
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

} // namespace nibble
