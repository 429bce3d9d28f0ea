// "Replace" of a tokenizer.json, used by normalizers and decoders. Every match
// of a pattern becomes the same text.
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
  // Reads {"pattern": {"String": ...} or {"Regex": ...}, "content": ...}. Bad
  // input names the field.
  static Result<TextReplacement> create(const nlohmann::json &value);

  struct Replaced {
    std::string text;
    // Whether no match at the front was replaced by nothing.
    bool keepsFront = true;
  };
  // `text` is valid UTF-8. `content` is literal, without references to the
  // match. Errors are those of Pattern::findAll.
  Result<Replaced> apply(std::string_view text) const;

private:
  TextReplacement(std::string literal, std::optional<Pattern> pattern,
                  std::string content)
      : literal_(std::move(literal)), pattern_(std::move(pattern)),
        content_(std::move(content)) {}

  std::string literal_; // the text to search when pattern_ is absent; not empty
  std::optional<Pattern> pattern_; // a regular expression
  std::string content_;
};

} // namespace nibble
