// Parses an expression and evaluates it with exact fractions.
#include "runtime/rl/tasks/expression.h"

#include <limits>
#include <utility>

namespace nibble {
namespace {

using Wide = __int128;

constexpr size_t kLongestText = 1024;
constexpr int kDeepest = 64;

// nullopt when the lowest terms do not fit. The parts of two fractions are
// below 2^63, so the results of combine are below 2 * (2^63)^2 = 2^127.
std::optional<Rational> reduce(Wide numerator, Wide denominator) {
  if (denominator == 0)
    return std::nullopt;
  if (denominator < 0)
    numerator = -numerator, denominator = -denominator;
  Wide a = numerator < 0 ? -numerator : numerator;
  Wide b = denominator;
  while (b != 0)
    a = std::exchange(b, a % b);
  numerator /= a;
  denominator /= a;
  constexpr Wide kMost = std::numeric_limits<int64_t>::max();
  if (numerator > kMost || numerator < -kMost || denominator > kMost)
    return std::nullopt;
  return Rational{static_cast<int64_t>(numerator),
                  static_cast<int64_t>(denominator)};
}

std::optional<Rational> combine(char operation, const Rational &x,
                                const Rational &y) {
  Wide a = x.numerator;
  Wide b = x.denominator;
  Wide c = y.numerator;
  Wide d = y.denominator;
  switch (operation) {
  case '+':
    return reduce(a * d + c * b, b * d);
  case '-':
    return reduce(a * d - c * b, b * d);
  case '*':
    return reduce(a * c, b * d);
  default:
    return reduce(a * d, b * c);
  }
}

// Recursive descent: sum = product {(+|-) product}, product = atom {(*|/)
// atom}, atom = number | ( sum ).
class Parser {
public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<ExpressionValue> parse() {
    std::optional<Rational> value = chain("+-", 0);
    if (!value || next() != '\0' || at_ != text_.size())
      return std::nullopt;
    return ExpressionValue{*value, std::move(numbers_)};
  }

private:
  // Peeks at the next character that is no space; NUL at the end.
  char next() {
    while (at_ < text_.size() && text_[at_] == ' ')
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  std::optional<Rational> chain(std::string_view operations, int depth) {
    auto operand = [&] {
      return operations == "+-" ? chain("*/", depth) : atom(depth);
    };
    std::optional<Rational> value = operand();
    while (value && next() != '\0' &&
           operations.find(text_[at_]) != std::string_view::npos) {
      char operation = text_[at_++];
      std::optional<Rational> right = operand();
      if (!right)
        return std::nullopt;
      value = combine(operation, *value, *right);
    }
    return value;
  }

  std::optional<Rational> atom(int depth) {
    char c = next();
    if (c == '(' && depth < kDeepest) {
      ++at_;
      std::optional<Rational> value = chain("+-", depth + 1);
      if (!value || next() != ')')
        return std::nullopt;
      ++at_;
      return value;
    }
    if (c < '0' || c > '9')
      return std::nullopt;
    int64_t number = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
      if (__builtin_mul_overflow(number, 10, &number) ||
          __builtin_add_overflow(number, text_[at_] - '0', &number))
        return std::nullopt;
    numbers_.push_back(number);
    return Rational{number, 1};
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<int64_t> numbers_;
};

} // namespace

std::optional<ExpressionValue> evaluate(std::string_view text) {
  if (text.size() > kLongestText)
    return std::nullopt;
  return Parser(text).parse();
}

} // namespace nibble
