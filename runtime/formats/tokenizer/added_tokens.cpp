// Finds added tokens in a text, longest first.
#include "runtime/formats/tokenizer/added_tokens.h"

#include "runtime/formats/tokenizer/utf8.h"

namespace nibble {
namespace {

char32_t characterAt(std::string_view text, size_t at) {
  return stepUtf8(text.substr(at)).codePoint;
}

bool standsAlone(std::string_view text, size_t begin, size_t end) {
  bool wordBefore =
      begin > 0 && isWord(characterAt(text, previousCharacter(text, begin)));
  bool wordBehind = end < text.size() && isWord(characterAt(text, end));
  return !wordBefore && !wordBehind;
}

} // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    uint32_t node = 0;
    for (char c : tokens_[i].content) {
      auto [it, isNew] = children_.try_emplace(
          uint64_t{node} << 8 | static_cast<uint8_t>(c), tokenAt_.size());
      if (isNew)
        tokenAt_.push_back(-1);
      node = it->second;
    }
    tokenAt_[node] = static_cast<int>(i);
    startsToken_[static_cast<uint8_t>(tokens_[i].content[0])] = true;
  }
}

std::pair<int, size_t> AddedTokenMatcher::longestAt(std::string_view text,
                                                    size_t begin) const {
  std::pair<int, size_t> found = {-1, begin};
  uint32_t node = 0;
  for (size_t at = begin; at < text.size(); ++at) {
    auto it =
        children_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[at]));
    if (it == children_.end())
      break;
    node = it->second;
    if (tokenAt_[node] >= 0)
      found = {tokenAt_[node], at + 1};
  }
  return found;
}

std::vector<AddedTokenMatcher::Part>
AddedTokenMatcher::split(std::string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t at = 0; at < text.size() && !tokens_.empty();) {
    auto [index, end] = startsToken_[static_cast<uint8_t>(text[at])]
                            ? longestAt(text, at)
                            : std::pair<int, size_t>(-1, at);
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken &token = tokens_[index];
    size_t begin = at;
    // The white space that `rstrip` takes may contain tokens of its own. They
    // count as well, as in the reference implementation.
    at = end;
    // A token that does not stand alone still hides shorter tokens inside it.
    if (token.singleWord && !standsAlone(text, begin, end))
      continue;
    while (token.lstrip && begin > done &&
           isSpace(characterAt(text, previousCharacter(text, begin))))
      begin = previousCharacter(text, begin);
    while (token.rstrip && end < text.size() && isSpace(characterAt(text, end)))
      end += stepUtf8(text.substr(end)).bytes;
    if (begin > done)
      parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size())
    parts.push_back({done, text.size(), -1});
  return parts;
}

} // namespace nibble
