// Regular expressions of tokenizer files (Oniguruma, the engine of the
// reference implementation) with bounds. Both the expression and the text may
// be hostile.
#pragma once

#include "lib/Names/expression.h"
#include "runtime/core/status.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace nibble {

// A part of a text, [begin, end) in bytes.
struct Piece {
  size_t begin;
  size_t end;
  bool isMatch;
};

class Pattern {
public:
  // The longest match, in bytes.
  static constexpr size_t kLongestMatch = size_t{256} << 10;

  // Bad input with the engine's reason when the expression does not compile or
  // has more than 16 KiB.
  static Result<Pattern> compile(std::string_view expression);

  // Covers `text` (valid UTF-8) from begin to end with matches and the gaps
  // between them. Gaps are never empty, matches may be. A match sees all text
  // before it and at least kLongestMatch bytes from its start. Bad input when a
  // match is longer, when one search backtracks endlessly, or when the whole
  // takes over a hundred times the usual time.
  Result<std::vector<Piece>> findAll(std::string_view text) const;

private:
  explicit Pattern(names::Expression regex) : regex_(std::move(regex)) {}

  names::Expression regex_;
};

} // namespace nibble
