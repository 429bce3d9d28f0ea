// Replaces the matches of a pattern.
#include "runtime/formats/tokenizer/text_replacement.h"

#include "runtime/formats/tokenizer/tokenizer_fields.h"

#include <fmt/format.h>

namespace nibble {

// Limits how much a hostile file can enlarge a text.
static constexpr size_t kLongestContent = 1024;

Result<TextReplacement> TextReplacement::create(const Json &value) {
  NIBBLE_ASSIGN(fields::PatternText pattern, fields::pattern(value, "Replace"));
  NIBBLE_ASSIGN(std::string content, fields::text(value, "content"));
  if (content.size() > kLongestContent)
    return Status::badInput(
        fmt::format("Replace has content of {} bytes: the limit is {}",
                    content.size(), kLongestContent));
  if (!pattern.isRegex && !pattern.text.empty())
    return TextReplacement(pattern.text, std::nullopt, content);
  NIBBLE_ASSIGN(Pattern compiled, Pattern::compile(pattern.expression()));
  return TextReplacement("", std::move(compiled), content);
}

Result<TextReplacement::Replaced>
TextReplacement::apply(std::string_view text) const {
  Replaced replaced;
  if (!pattern_) {
    size_t done = 0;
    for (size_t at; (at = text.find(literal_, done)) != std::string_view::npos;
         done = at + literal_.size()) {
      replaced.keepsFront &= at > 0 || !content_.empty();
      replaced.text.append(text, done, at - done).append(content_);
    }
    replaced.text.append(text, done);
    return replaced;
  }
  NIBBLE_ASSIGN(std::vector<Piece> pieces, pattern_->findAll(text));
  for (const Piece &piece : pieces) {
    if (!piece.isMatch) {
      replaced.text.append(text, piece.begin, piece.end - piece.begin);
      continue;
    }
    replaced.keepsFront &=
        piece.begin > 0 || piece.end == 0 || !content_.empty();
    replaced.text += content_;
  }
  return replaced;
}

} // namespace nibble
