// Splits text into the pieces within which a BPE merges: the `pre_tokenizer` of
// a tokenizer.json.
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

// The treatment of the matches of a split.
enum class SplitBehavior {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous
};

// Turns matches and gaps into the pieces that remain. Empty pieces are dropped.
std::vector<Piece> applyBehavior(std::vector<Piece> pieces,
                                 SplitBehavior behavior);

// Metaspace, as pre-tokenizer and as decoder: a character that represents a
// space.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement; // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true; // splits before every replacement

  // Bad input names the field. add_prefix_space of older files must not
  // contradict prepend_scheme.
  static Result<Metaspace> create(const nlohmann::json &value);
};

class PreTokenizer {
public:
  // Reads the value of `pre_tokenizer`: null, Split, Digits, Metaspace,
  // ByteLevel, or a Sequence of them in which ByteLevel is the last. Bad input
  // names any other part.
  static Result<PreTokenizer> create(const nlohmann::json &value);

  // Whether it ends with ByteLevel. Then the vocabulary is over bytes, else
  // over characters.
  bool isByteLevel() const { return isByteLevel_; }

  // Views of `text` (valid UTF-8), or of `owned` when a step wrote new text.
  struct Pieces {
    std::vector<std::string_view> views;
    std::deque<std::string> owned;
  };
  // Splits a text. `isFirst` means that `text` begins the encoded text. Bad
  // input when the text is pathological (Pattern::findAll).
  Result<Pieces> split(std::string_view text, bool isFirst = true) const;

private:
  struct Split {
    Pattern pattern;
    SplitBehavior behavior;
    bool invert = false;
  };
  // Adds a space before a piece that does not start with one.
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
