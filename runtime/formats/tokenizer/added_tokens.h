// Tokens such as "<|im_start|>" that are found in the text before any other
// step.
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
  bool singleWord = false; // only matches without a word character next to it
  bool lstrip = false;     // includes the white space before it
  bool rstrip = false;     // includes the white space after it
  bool normalized = false; // is searched in the normalized text
  bool special = false;    // decode omits it with skipSpecial
};

// Finds a set of added tokens. The leftmost match wins, then the longest one
// that starts there.
class AddedTokenMatcher {
public:
  // Contents must be different and not empty.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens = {});

  // A part of the text, [begin, end) in bytes. id is -1 when it is no token.
  struct Part {
    size_t begin;
    size_t end;
    int32_t id;
  };
  // Covers `text` (valid UTF-8) with non-empty parts, in order. Parts overlap
  // in one case only: a token of white space lies in the white space that the
  // previous token's `rstrip` took.
  std::vector<Part> split(std::string_view text) const;

private:
  // Index and end of the longest token that starts at `begin`. The index is -1
  // when there is none.
  std::pair<int, size_t> longestAt(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  // A trie. It maps (node << 8 | byte) to a node, and a node to the token that
  // ends there or -1.
  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<int> tokenAt_ = {-1};
  bool startsToken_[256] = {};
};

} // namespace nibble
