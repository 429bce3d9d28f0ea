// Compiles and runs regular expressions with Oniguruma.
#include "lib/Names/expression.h"

#include <oniguruma.h>

#include <algorithm>

namespace nibble::names {

namespace {

constexpr size_t kLongestExpression = size_t{16} << 10;

void initializeEngine() {
  static const int once = [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    return onig_initialize(encodings, 1);
  }();
  (void)once;
}

std::string textOf(const OnigUChar *buffer, int length) {
  return {reinterpret_cast<const char *>(buffer),
          static_cast<size_t>(std::max(length, 0))};
}

} // namespace

void FreeExpression::operator()(void *regex) const {
  onig_free(static_cast<regex_t *>(regex));
}

Expression compileExpression(std::string_view expression, Syntax syntax,
                             std::string &problem) {
  if (expression.size() > kLongestExpression) {
    problem = "an expression of more than 16 KiB";
    return nullptr;
  }
  initializeEngine();
  regex_t *regex = nullptr;
  OnigErrorInfo info{};
  const auto *begin = reinterpret_cast<const OnigUChar *>(expression.data());
  int code = onig_new(&regex, begin, begin + expression.size(),
                      ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                      syntax == Syntax::kPython ? ONIG_SYNTAX_PYTHON
                                                : ONIG_SYNTAX_DEFAULT,
                      &info);
  if (code == ONIG_NORMAL)
    return Expression(regex);
  OnigUChar buffer[ONIG_MAX_ERROR_MESSAGE_LEN];
  problem = "no regular expression: " +
            textOf(buffer, onig_error_code_to_str(buffer, code, &info));
  return nullptr;
}

std::string expressionError(int code) {
  OnigUChar buffer[ONIG_MAX_ERROR_MESSAGE_LEN];
  return textOf(buffer, onig_error_code_to_str(buffer, code));
}

} // namespace nibble::names
