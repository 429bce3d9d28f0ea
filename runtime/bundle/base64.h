// Bytes as text (RFC 4648, section 4). A program's JSON holds its constants
// this way.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nibble {

std::string base64(std::string_view bytes);
// Null when `base64` never produces this text.
std::optional<std::string> fromBase64(std::string_view text);

} // namespace nibble
