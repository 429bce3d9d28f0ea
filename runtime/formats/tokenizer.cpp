#include "runtime/formats/tokenizer.h"

#include "runtime/formats/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

Result<std::string> Tokenizer::normalize(std::string_view text) const {
  if (!isNfc_)
    return std::string(text);
  return normalizeNfc(text);
}

Status Tokenizer::encodeText(std::string_view text, std::vector<int32_t> &out) const {
  NIBBLE_ASSIGN(std::string normal, normalize(text));
  for (const AddedTokenMatcher::Part &part : normalizedMatcher_.split(normal)) {
    if (part.id >= 0) {
      out.push_back(part.id);
      continue;
    }
    NIBBLE_ASSIGN(PreTokenizer::Pieces pieces,
                  preTokenizer_.split(std::string_view(normal).substr(part.begin, part.end - part.begin)));
    for (std::string_view piece : pieces.views) {
      if (piece.size() > Pattern::kLongestMatch)
        return Status::badInput(fmt::format("word of {} bytes is too long: the limit is {}; break the text up",
                                            piece.size(), Pattern::kLongestMatch));
      bpe_.encode(piece, out);
    }
  }
  return Status::ok();
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text, bool addSpecialTokens) const {
  if (std::optional<size_t> at = findInvalidUtf8(text))
    return Status::badInput(
        fmt::format("text is not UTF-8 at byte {} (0x{:02X}); convert it first", *at, static_cast<uint8_t>(text[*at])));
  std::vector<int32_t> ids;
  if (addSpecialTokens)
    ids = prefix_;
  for (const AddedTokenMatcher::Part &part : rawMatcher_.split(text)) {
    if (part.id >= 0)
      ids.push_back(part.id);
    else
      NIBBLE_TRY(encodeText(text.substr(part.begin, part.end - part.begin), ids));
  }
  if (addSpecialTokens)
    ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skipSpecial) const {
  StreamDecoder decoder(*this, skipSpecial);
  std::string text;
  for (int32_t id : ids)
    text += decoder.push(id);
  return text + decoder.finish();
}

std::optional<int32_t> Tokenizer::tokenId(std::string_view token) const {
  if (auto it = addedIds_.find(std::string(token)); it != addedIds_.end())
    return it->second;
  return bpe_.idOf(token);
}

std::optional<std::string_view> Tokenizer::tokenBytes(int32_t id) const {
  if (auto it = added_.find(id); it != added_.end())
    return it->second.content;
  return bpe_.bytesOf(id);
}

bool Tokenizer::isSpecial(int32_t id) const {
  auto it = added_.find(id);
  return it != added_.end() && it->second.special;
}

int64_t Tokenizer::vocabularySize() const {
  int64_t size = bpe_.size();
  for (const auto &[id, token] : added_)
    size = std::max(size, int64_t{id} + 1);
  return size;
}

std::string StreamDecoder::push(int32_t id) {
  std::optional<std::string_view> bytes = tokenizer_->tokenBytes(id);
  if (!bytes || (skipSpecial_ && tokenizer_->isSpecial(id)))
    return {};
  std::string pending = std::exchange(held_, {});
  pending += *bytes;
  std::string text;
  appendLossy(pending, text, &held_);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  appendLossy(std::exchange(held_, {}), text);
  return text;
}

} // namespace nibble
