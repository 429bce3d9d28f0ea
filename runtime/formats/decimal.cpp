// Writes numbers as plain decimals.
#include "runtime/formats/decimal.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace nibble {

std::optional<std::string> plainDecimal(std::string_view number) {
  constexpr size_t kMost = 4096;
  bool isNegative = number.starts_with('-');
  std::string_view mantissa =
      number.substr(isNegative, number.find_first_of("eE") - isNegative);
  size_t dot = std::min(mantissa.find('.'), mantissa.size());
  std::string digits(mantissa.substr(0, dot));
  // Number of digits before the decimal point.
  int64_t point = static_cast<int64_t>(dot);
  digits += mantissa.substr(std::min(dot + 1, mantissa.size()));

  size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.erase(0, zeros);
  point -= static_cast<int64_t>(zeros);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.empty())
    return "0";

  if (size_t e = number.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view text = number.substr(e + 1);
    if (text.starts_with('+'))
      text.remove_prefix(1);
    int64_t exponent = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), exponent);
    constexpr int64_t kLargest = int64_t{1} << 40;
    if (error != std::errc() || exponent > kLargest || exponent < -kLargest)
      return std::nullopt;
    point += exponent;
  }
  int64_t size = static_cast<int64_t>(digits.size());
  int64_t length = point <= 0     ? 2 - point + size
                   : point < size ? size + 1
                                  : point;
  if (length > static_cast<int64_t>(std::max(kMost, number.size())))
    return std::nullopt;
  if (point <= 0)
    digits.insert(0, "0." + std::string(-point, '0'));
  else if (point >= size)
    digits.append(point - size, '0');
  else
    digits.insert(point, 1, '.');
  return (isNegative ? "-" : "") + digits;
}

} // namespace nibble
