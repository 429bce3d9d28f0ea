// Turns tokens back into text: the `decoder` of a tokenizer.json whose
// vocabulary is over characters.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/tokenizer/pre_tokenizer.h"
#include "runtime/formats/tokenizer/text_replacement.h"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nibble {

class TokenDecoder {
public:
  TokenDecoder() = default;
  // From the value of `decoder`: ByteLevel alone, or one or a Sequence of
  // Replace, ByteFallback, Fuse, Strip and Metaspace. Bad input naming the part
  // for anything else, and for null.
  static Result<TokenDecoder> create(const nlohmann::json &value);

  // Whether it is ByteLevel: tokens are bytes, and there are no steps.
  bool isByteLevel() const { return isByteLevel_; }

  // How far one stream of tokens has come: one for each step.
  struct StepState {
    std::string held;   // what the step cannot say yet
    size_t count = 0;   // Strip: characters cut off at the front
    bool begun = false; // a token came, or the front is behind us
  };
  using State = std::vector<StepState>;
  State begin() const { return State(steps_.size()); }
  // The text that is certain now that this token (an entry as the file spells
  // it) came; whole characters, possibly none. ByteFallback holds a run of
  // bytes until another token ends it: only then it is certain whether they are
  // characters. Replace behind Fuse holds everything.
  std::string push(State &state, std::string_view token) const;
  // What was held back.
  std::string finish(State &state) const;

private:
  struct ByteFallback {};
  struct Fuse {};
  struct Strip {
    std::string content; // one character
    size_t start, stop;  // at most so many of it
  };
  using Kind =
      std::variant<TextReplacement, ByteFallback, Fuse, Strip, Metaspace>;
  struct Step {
    Kind kind;
    bool isFused; // behind Fuse all tokens are one, which comes in parts
  };
  using Tokens = std::vector<std::string>;
  static Result<Kind> parse(const nlohmann::json &value);
  Tokens run(State &state, Tokens tokens, bool isEnd) const;
  static Tokens apply(const Kind &kind, StepState &state, Tokens tokens,
                      bool isEnd);
  static std::string applyFused(const Kind &kind, StepState &state,
                                const std::string &text, bool isEnd);

  std::vector<Step> steps_;
  bool isByteLevel_ = false;
};

} // namespace nibble
