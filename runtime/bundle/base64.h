// Bytes as text (RFC 4648, section 4): the constants of a program in its JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nibble {

std::string base64(std::string_view bytes);
// Null when the text is not what `base64` gives for any bytes.
std::optional<std::string> fromBase64(std::string_view text);

} // namespace nibble
