// Cuts text into the pieces that a byte-level BPE merges within: the `pre_tokenizer` of a tokenizer.json.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/pattern.h"

#include <nlohmann/json_fwd.hpp>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// What becomes of the matches of a split.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Turns matches and gaps into the pieces that stay; empty ones are dropped.
std::vector<Piece> applyBehavior(std::vector<Piece> pieces, SplitBehavior behavior);

class PreTokenizer {
public:
  // From the value of `pre_tokenizer`: ByteLevel, or a Sequence of Split, Digits and, last, ByteLevel. Bad input naming
  // the part for anything else: without ByteLevel the vocabulary is not over bytes.
  static Result<PreTokenizer> create(const nlohmann::json &value);

  // Views of `text`, which is valid UTF-8, or, where a space was put before them, of `owned`.
  struct Pieces {
    std::vector<std::string_view> views;
    std::deque<std::string> owned;
  };
  // Bad input when the text is pathological (Pattern::findAll).
  Result<Pieces> split(std::string_view text) const;

private:
  struct Step {
    Pattern pattern;
    SplitBehavior behavior;
    bool invert = false;
    // Before the step, a piece that does not start with a space gets one.
    bool addPrefixSpace = false;
  };
  Status addStep(const nlohmann::json &value, bool last);
  std::vector<Step> steps_;
  bool addPrefixSpaceOnly_ = false;
};

} // namespace nibble
