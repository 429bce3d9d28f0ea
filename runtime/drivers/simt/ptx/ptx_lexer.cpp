// Splits PTX text into tokens.
#include "runtime/drivers/simt/ptx/ptx_lexer.h"

#include <bit>
#include <cstdlib>
#include <string>

namespace nibble::simt {

namespace {

bool isWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '%' || c == '.';
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

int hexDigit(char c) {
  if (isDigit(c))
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    for (;;) {
      skipBlanks();
      Token token = next();
      tokens_.push_back(token);
      if (token.kind == Token::kEnd)
        return std::move(tokens_);
    }
  }

private:
  char at(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  void skipBlanks() {
    for (; position_ < text_.size(); ++position_) {
      char c = text_[position_];
      if (c == '\n') {
        ++line_;
      } else if (c == '/' && at(position_ + 1) == '/') {
        while (position_ + 1 < text_.size() && text_[position_ + 1] != '\n')
          ++position_;
      } else if (c == '/' && at(position_ + 1) == '*') {
        size_t end = text_.find("*/", position_ + 2);
        end = end == std::string_view::npos ? text_.size() : end + 2;
        for (; position_ < end; ++position_)
          line_ += text_[position_] == '\n';
        --position_;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  Token next() {
    Token token;
    token.line = line_;
    if (position_ >= text_.size())
      return token;
    size_t begin = position_;
    char c = text_[begin];
    if (isDigit(c))
      return number(token);
    if (c == '"') {
      size_t end = text_.find('"', begin + 1);
      end = end == std::string_view::npos ? text_.size() : end;
      token.kind = Token::kString;
      token.text = text_.substr(begin + 1, end - begin - 1);
      position_ = end + 1;
      return token;
    }
    if (!isWord(c)) {
      token.kind = Token::kSign;
      token.text = text_.substr(begin, 1);
      ++position_;
      return token;
    }
    // "shared::cta" is one word, but "label:" is a word and a sign.
    while (isWord(at(position_)) ||
           (at(position_) == ':' && at(position_ + 1) == ':' &&
            isWord(at(position_ + 2))))
      position_ += at(position_) == ':' ? 2 : 1;
    token.kind = Token::kWord;
    token.text = text_.substr(begin, position_ - begin);
    return token;
  }

  Token number(Token token) {
    size_t begin = position_;
    char mark = at(begin + 1);
    if (at(begin) == '0' &&
        (mark == 'f' || mark == 'F' || mark == 'd' || mark == 'D')) {
      bool isSingle = (mark | 0x20) == 'f';
      size_t i = begin + 2;
      for (; hexDigit(at(i)) >= 0; ++i)
        token.bits = token.bits << 4 | static_cast<uint64_t>(hexDigit(at(i)));
      token.kind = isSingle ? Token::kFloat32 : Token::kFloat64;
      position_ = i;
    } else if (at(begin) == '0' && (mark == 'x' || mark == 'X')) {
      size_t i = begin + 2;
      for (; hexDigit(at(i)) >= 0; ++i)
        token.bits = token.bits << 4 | static_cast<uint64_t>(hexDigit(at(i)));
      token.kind = Token::kInteger;
      position_ = i;
    } else {
      size_t i = begin;
      while (isDigit(at(i)))
        ++i;
      if (at(i) == '.' && isDigit(at(i + 1))) {
        for (++i; isDigit(at(i));)
          ++i;
        token.kind = Token::kFloat64;
        token.bits = std::bit_cast<uint64_t>(std::strtod(
            std::string(text_.substr(begin, i - begin)).c_str(), nullptr));
      } else {
        unsigned base = at(begin) == '0' && i > begin + 1 ? 8 : 10;
        for (size_t j = begin; j < i; ++j)
          token.bits = token.bits * base + static_cast<uint64_t>(at(j) - '0');
        token.kind = Token::kInteger;
      }
      position_ = i;
    }
    if (at(position_) == 'U' || at(position_) == 'u')
      ++position_;
    token.text = text_.substr(begin, position_ - begin);
    return token;
  }

  std::string_view text_;
  size_t position_ = 0;
  uint32_t line_ = 1;
  std::vector<Token> tokens_;
};

} // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

} // namespace nibble::simt
