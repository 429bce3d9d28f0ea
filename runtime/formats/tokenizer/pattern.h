// Regular expressions of tokenizer files (Oniguruma, the engine of their
// reference implementation), with bounds: neither the expression nor the text
// may come from a friend.
#pragma once

#include "lib/Names/expression.h"
#include "runtime/core/status.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace nibble {

// A stretch of a text in bytes, [begin, end).
struct Piece {
  size_t begin;
  size_t end;
  bool isMatch;
};

class Pattern {
public:
  // No match may be longer, in bytes.
  static constexpr size_t kLongestMatch = size_t{256} << 10;

  // Bad input with the engine's reason when the expression does not compile or
  // has more than 16 KiB.
  static Result<Pattern> compile(std::string_view expression);

  // Covers `text`, valid UTF-8, from begin to end with matches and the gaps
  // between them, none of them empty but matches. A match sees what lies before
  // it and at least kLongestMatch bytes from its start. Bad input when a match
  // is longer than that, when one search backtracks without end, or when the
  // whole takes more than a hundred times the usual time.
  Result<std::vector<Piece>> findAll(std::string_view text) const;

private:
  explicit Pattern(names::Expression regex) : regex_(std::move(regex)) {}

  names::Expression regex_;
};

} // namespace nibble
