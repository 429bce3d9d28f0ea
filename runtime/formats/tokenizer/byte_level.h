// The alphabet of byte-level vocabularies (GPT-2), in which every byte has a
// printable character of its own. Bytes 0x21-7E, A1-AC and AE-FF are the
// characters with the same number. The other 68 bytes, in order, are U+0100,
// U+0101, ...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// The character for a byte, as UTF-8.
std::string_view byteCharacter(uint8_t byte);

// The bytes of a vocabulary entry. nullopt when one of its characters is not in
// the alphabet.
std::optional<std::string> fromByteAlphabet(std::string_view text);

} // namespace nibble
