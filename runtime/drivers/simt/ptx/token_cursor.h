// A position in the tokens of PTX text. It looks ahead, takes and expects
// tokens, and reports the line of an unexpected one.
#pragma once

#include "runtime/core/status.h"
#include "runtime/drivers/simt/ptx/ptx.h"
#include "runtime/drivers/simt/ptx/ptx_lexer.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::simt {

class TokenCursor {
public:
  // The module's text and lines must outlive the cursor.
  explicit TokenCursor(const Module &module)
      : lines_(module.lines), tokens_(tokenize(module.text)) {}

  const Token &peek(size_t ahead = 0) const {
    return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
  }
  bool atEnd() const { return peek().kind == Token::kEnd; }
  Token take() {
    Token token = peek();
    if (!atEnd())
      ++position_;
    return token;
  }
  bool isSign(char c, size_t ahead = 0) const {
    return peek(ahead).kind == Token::kSign && peek(ahead).text[0] == c;
  }
  // Takes the next token if it is this one.
  bool accept(char c) {
    bool found = isSign(c);
    position_ += found;
    return found;
  }
  bool acceptWord(std::string_view word) {
    bool found = peek().kind == Token::kWord && peek().text == word;
    position_ += found;
    return found;
  }
  // The current token, for a message. A string without its closing quote runs
  // over all following lines, so only its first line is shown.
  std::string shown() const {
    std::string_view text = peek().text;
    return std::string(text.substr(0, text.find('\n')));
  }
  // Bad input with the line of the cursor.
  Status error(std::string what) const {
    uint32_t line = peek().line;
    std::string_view text = line >= 1 && line <= lines_.size()
                                ? lines_[line - 1]
                                : std::string_view();
    size_t begin = text.find_first_not_of(" \t");
    text = begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin);
    return Status::badInput("PTX line " + std::to_string(line) + " `" +
                            std::string(text) + "`: " + what +
                            "; correct the PTX");
  }
  Status expect(char c) {
    if (accept(c))
      return Status::ok();
    return error("expected '" + std::string(1, c) + "' before '" + shown() +
                 "'");
  }
  Result<uint64_t> integer() {
    bool negative = accept('-');
    if (peek().kind != Token::kInteger)
      return error("expected an integer before '" + shown() + "'");
    uint64_t value = take().bits;
    return negative ? 0 - value : value;
  }
  void skipLine() {
    uint32_t line = peek().line;
    while (!atEnd() && peek().line == line)
      take();
  }

private:
  const std::vector<std::string_view> &lines_;
  std::vector<Token> tokens_;
  size_t position_ = 0;
};

} // namespace nibble::simt
