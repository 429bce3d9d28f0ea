// The alphabet in which byte-level vocabularies are written: every byte has a
// printable character of its own. Bytes 0x21-7E, A1-AC and AE-FF are the
// characters of the same number; the other 68, in order, are U+0100, U+0101,
// ... (GPT-2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// The character of a byte, as UTF-8.
std::string_view byteCharacter(uint8_t byte);

// The bytes that a vocabulary entry stands for; nullopt when a character of it
// is not of the alphabet.
std::optional<std::string> fromByteAlphabet(std::string_view text);

} // namespace nibble
