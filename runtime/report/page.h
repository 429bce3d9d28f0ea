// The parts of the report's page, from the files in page/.
#pragma once

#include <string_view>

namespace nibble::page {

extern const std::string_view kFrame;  // page/frame.html
extern const std::string_view kStyle;  // page/style.css
extern const std::string_view kScript; // page/script.js

} // namespace nibble::page
