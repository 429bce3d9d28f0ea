// Regular expressions (Oniguruma) from files and command lines that we did not
// write.
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

// kPython: of names. kRuby: of tokenizer files, whose reference implementation
// uses Oniguruma's default.
enum class Syntax { kPython, kRuby };

// Null when the expression has more than 16 KiB or does not compile, with the
// reason as a noun in `problem`: "no regular expression: empty char-class".
Expression compileExpression(std::string_view expression, Syntax syntax,
                             std::string &problem);

// What a negative result of Oniguruma's search or match means, in its words.
std::string expressionError(int code);

} // namespace nibble::names
