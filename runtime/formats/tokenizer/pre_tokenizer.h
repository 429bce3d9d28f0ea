// Cuts text into the pieces that a BPE merges within: the `pre_tokenizer` of a
// tokenizer.json.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/tokenizer/pattern.h"

#include <nlohmann/json_fwd.hpp>

#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nibble {

// What becomes of the matches of a split.
enum class SplitBehavior {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous
};

// Turns matches and gaps into the pieces that stay; empty ones are dropped.
std::vector<Piece> applyBehavior(std::vector<Piece> pieces,
                                 SplitBehavior behavior);

// Metaspace, as pre-tokenizer and as decoder: a character that stands for a
// space.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement; // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true; // before every replacement

  // Bad input naming the field; add_prefix_space of older files must not
  // contradict prepend_scheme.
  static Result<Metaspace> create(const nlohmann::json &value);
};

class PreTokenizer {
public:
  // From the value of `pre_tokenizer`: null, Split, Digits, Metaspace,
  // ByteLevel, or a Sequence of them in which ByteLevel is the last. Bad input
  // naming the part for anything else.
  static Result<PreTokenizer> create(const nlohmann::json &value);

  // Whether it ends with ByteLevel: then the vocabulary is over bytes, else
  // over characters.
  bool isByteLevel() const { return isByteLevel_; }

  // Views of `text`, which is valid UTF-8, or, where a step wrote text of its
  // own, of `owned`.
  struct Pieces {
    std::vector<std::string_view> views;
    std::deque<std::string> owned;
  };
  // `isFirst`: `text` stands at the very beginning of what is encoded. Bad
  // input when the text is pathological (Pattern::findAll).
  Result<Pieces> split(std::string_view text, bool isFirst = true) const;

private:
  struct Split {
    Pattern pattern;
    SplitBehavior behavior;
    bool invert = false;
  };
  // A piece that does not start with a space gets one.
  struct PrefixSpace {};
  using Step = std::variant<Split, PrefixSpace, Metaspace>;
  struct Part;
  Status addStep(const nlohmann::json &value, bool isLast);
  static Status apply(const Split &step, const Part &part, Pieces &pieces,
                      std::vector<Part> &out);
  static Status apply(const PrefixSpace &step, const Part &part, Pieces &pieces,
                      std::vector<Part> &out);
  static Status apply(const Metaspace &step, const Part &part, Pieces &pieces,
                      std::vector<Part> &out);

  std::vector<Step> steps_;
  bool isByteLevel_ = false;
};

} // namespace nibble
