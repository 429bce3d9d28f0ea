// JSON that we did not write, as a tree: bounded depth and no key twice, which plain parsers let pass.
#pragma once

#include "runtime/core/status.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace nibble {

inline constexpr int kMaximumJsonDepth = 64;

// Bad input naming the byte for what is not JSON, is nested deeper than kMaximumJsonDepth or has a key twice.
Result<nlohmann::json> parseJsonTree(std::string_view text);

} // namespace nibble
