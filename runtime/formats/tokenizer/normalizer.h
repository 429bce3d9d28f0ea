// The first step of a tokenizer, before text is split: the `normalizer` of a
// tokenizer.json.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/tokenizer/text_replacement.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nibble {

class Normalizer {
public:
  Normalizer() = default;
  // Reads the value of `normalizer`: null, one part, or a Sequence. Bad input
  // names a part that is not supported.
  static Result<Normalizer> create(const nlohmann::json &value);

  struct Normalized {
    std::string text;
    // Whether the first character still represents the first character of the
    // input, so nothing was removed there.
    bool keepsFront = true;
  };
  // `text` is valid UTF-8. Errors are those of normalizeUnicode, and bad input
  // when an expression finds the text pathological.
  Result<Normalized> apply(std::string_view text) const;

private:
  struct Unicode {
    UnicodeForm form;
  };
  struct Lowercase {};
  struct StripAccents {};
  struct Strip {
    bool left, right;
  };
  struct Prepend {
    std::string text;
  };
  using Step = std::variant<Unicode, Lowercase, StripAccents, Strip, Prepend,
                            TextReplacement>;
  static Result<Step> parse(const nlohmann::json &value);
  static Status apply(const Step &step, Normalized &normalized);

  std::vector<Step> steps_;
};

} // namespace nibble
