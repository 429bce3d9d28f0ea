// Numbers as the text that a person would write.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// A JSON number (RFC 8259) as a plain decimal of exactly its value. It has
// every digit, no exponent, no trailing zeros in the fraction, and no minus
// before zero. Equal numbers therefore have equal texts, however a program
// wrote them:
//
//   5.0, 5e0 -> 5    0.10 -> 0.1    1e3 -> 1000
//   2.5e-3 -> 0.0025    -0.0 -> 0
//
// nullopt when an exponent makes it longer than 4096 characters.
std::optional<std::string> plainDecimal(std::string_view number);

} // namespace nibble
