// Turns tokens back into text: the `decoder` of a tokenizer.json with a
// vocabulary over characters.
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
  // Reads the value of `decoder`: ByteLevel alone, or one or a Sequence of
  // Replace, ByteFallback, Fuse, Strip and Metaspace. Bad input names any other
  // part, and null.
  static Result<TokenDecoder> create(const nlohmann::json &value);

  // Whether it is ByteLevel. Then tokens are bytes and there are no steps.
  bool isByteLevel() const { return isByteLevel_; }

  // The progress of one stream of tokens in each step.
  struct StepState {
    std::string held;   // text that the step cannot decide yet
    size_t count = 0;   // for Strip: number of characters removed at the front
    bool begun = false; // whether a token has arrived, or the front is complete
  };
  using State = std::vector<StepState>;
  State begin() const { return State(steps_.size()); }
  // Takes a token (an entry in the file's spelling) and returns the text that
  // is now certain: whole characters, possibly none. ByteFallback holds a run
  // of bytes until another token ends it, because only then their characters
  // are certain. Replace after Fuse holds everything.
  std::string push(State &state, std::string_view token) const;
  // Returns the text that was held back.
  std::string finish(State &state) const;

private:
  struct ByteFallback {};
  struct Fuse {};
  struct Strip {
    std::string content; // one character
    size_t start, stop;  // at most this many of it
  };
  using Kind =
      std::variant<TextReplacement, ByteFallback, Fuse, Strip, Metaspace>;
  struct Step {
    Kind kind;
    bool isFused; // after Fuse all tokens are one, which arrives in parts
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
