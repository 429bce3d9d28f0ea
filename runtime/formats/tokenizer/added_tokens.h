// Tokens that are found in the text before anything else looks at it:
// "<|im_start|>" and its kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nibble {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool singleWord = false; // only where no word character stands beside it
  bool lstrip = false;     // takes the white space before it along
  bool rstrip = false;     // takes the white space behind it along
  bool normalized = false; // is sought in the normalized text
  bool special = false;    // is left out by decode with skipSpecial
};

// Finds a set of added tokens: leftmost first, of those that start there the
// longest.
class AddedTokenMatcher {
public:
  // Contents are not empty and all different.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens = {});

  // A stretch of the text, [begin, end) in bytes; id is -1 for what is no
  // token.
  struct Part {
    size_t begin;
    size_t end;
    int32_t id;
  };
  // Covers `text` (valid UTF-8) with non-empty parts, in order. They overlap
  // only where a token of white space lies in the white space that `rstrip` of
  // the one before took.
  std::vector<Part> split(std::string_view text) const;

private:
  // Index and end of the longest token that starts at `begin`; index -1 when
  // none does.
  std::pair<int, size_t> longestAt(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  // A trie: (node << 8 | byte) -> node; the token that ends at a node or -1.
  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<int> tokenAt_ = {-1};
  bool startsToken_[256] = {};
};

} // namespace nibble
