// Regular expressions (Oniguruma) from files and command lines that others
// wrote.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace nibble::names {

struct FreeExpression {
  void operator()(void *regex) const;
};
// A regex_t of Oniguruma, on UTF-8.
using Expression = std::unique_ptr<void, FreeExpression>;

// kPython: for names. kRuby: for tokenizer files, whose reference
// implementation uses Oniguruma's default syntax.
enum class Syntax { kPython, kRuby };

// Null when the expression has more than 16 KiB or does not compile, with the
// reason as a noun in `problem`: "no regular expression: empty char-class".
Expression compileExpression(std::string_view expression, Syntax syntax,
                             std::string &problem);

// Oniguruma's own message for a negative result of its search or match.
std::string expressionError(int code);

} // namespace nibble::names
