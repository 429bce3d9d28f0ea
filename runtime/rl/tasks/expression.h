// Arithmetic written by a model. It is evaluated exactly and never executed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace nibble {

// A fraction in lowest terms, denominator > 0.
struct Rational {
  int64_t numerator;
  int64_t denominator;
  bool operator==(const Rational &) const = default;
};

struct ExpressionValue {
  Rational value;
  // The numbers in the text, from left to right.
  std::vector<int64_t> numbers;
};

// Value of an expression of non-negative integers, + - * /, parentheses and
// spaces. * and / bind more tightly; equal operators associate to the left.
// nullopt for any other text, division by zero, more than 1024 bytes, or
// parentheses deeper than 64. Also nullopt when the fraction of a value does
// not fit in 64 bits.
std::optional<ExpressionValue> evaluate(std::string_view text);

} // namespace nibble
