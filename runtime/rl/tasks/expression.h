// Arithmetic that a model wrote: evaluated exactly, never executed.
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
  // The numbers as they stand in the text, from left to right.
  std::vector<int64_t> numbers;
};

// Value of an expression of non-negative integers, + - * /, parentheses and
// spaces; * and / bind stronger, equal ones go from left to right. nullopt for
// anything else, for division by zero, more than 1024 bytes, parentheses deeper
// than 64 and values whose fraction does not fit in 64 bits.
std::optional<ExpressionValue> evaluate(std::string_view text);

} // namespace nibble
