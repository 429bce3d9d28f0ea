// "Replace" of a tokenizer.json, which normalizers and decoders have: every
// match of a pattern becomes one text.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/tokenizer/pattern.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace nibble {

class TextReplacement {
public:
  // From {"pattern": {"String": ...} or {"Regex": ...}, "content": ...}. Bad
  // input naming the field.
  static Result<TextReplacement> create(const nlohmann::json &value);

  struct Replaced {
    std::string text;
    bool keepsFront = true; // no match at the front was replaced by nothing
  };
  // `text` is valid UTF-8. `content` goes in as it is, nothing in it refers to
  // the match. Errors of Pattern::findAll.
  Result<Replaced> apply(std::string_view text) const;

private:
  TextReplacement(std::string literal, std::optional<Pattern> pattern,
                  std::string content)
      : literal_(std::move(literal)), pattern_(std::move(pattern)),
        content_(std::move(content)) {}

  std::string literal_; // without pattern_: what is sought, not empty
  std::optional<Pattern> pattern_; // an expression
  std::string content_;
};

} // namespace nibble
