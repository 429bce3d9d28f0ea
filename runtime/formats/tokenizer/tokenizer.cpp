// Encodes and decodes with the parts of a tokenizer.json.
#include "runtime/formats/tokenizer/tokenizer.h"

#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

Status Tokenizer::encodeText(std::string_view text, bool isFirst,
                             std::vector<int32_t> &out) const {
  NIBBLE_ASSIGN(Normalizer::Normalized normal, normalizer_.apply(text));
  isFirst &= normal.keepsFront;
  // A word of bytes has a bound, like its expression. A vocabulary over
  // characters may treat a whole text as one piece.
  size_t longest =
      preTokenizer_.isByteLevel() ? Pattern::kLongestMatch : Bpe::kLongestPiece;
  for (const AddedTokenMatcher::Part &part :
       normalizedMatcher_.split(normal.text)) {
    if (part.id >= 0) {
      out.push_back(part.id);
      continue;
    }
    std::string_view plain =
        std::string_view(normal.text).substr(part.begin, part.end - part.begin);
    NIBBLE_ASSIGN(PreTokenizer::Pieces pieces,
                  preTokenizer_.split(plain, isFirst && part.begin == 0));
    for (std::string_view piece : pieces.views) {
      if (piece.size() > longest)
        return Status::badInput(fmt::format(
            "word of {} bytes is too long: the limit is {}; break the text up",
            piece.size(), longest));
      bpe_.encode(piece, out);
    }
  }
  return Status::ok();
}

Result<std::vector<int32_t>> Tokenizer::encode(std::string_view text,
                                               bool addSpecialTokens) const {
  if (std::optional<size_t> at = findInvalidUtf8(text))
    return Status::badInput(
        fmt::format("text is not UTF-8 at byte {} (0x{:02X}); convert it first",
                    *at, static_cast<uint8_t>(text[*at])));
  std::vector<int32_t> ids;
  if (addSpecialTokens)
    ids = prefix_;
  for (const AddedTokenMatcher::Part &part : rawMatcher_.split(text)) {
    if (part.id >= 0)
      ids.push_back(part.id);
    else
      NIBBLE_TRY(encodeText(text.substr(part.begin, part.end - part.begin),
                            part.begin == 0, ids));
  }
  if (addSpecialTokens)
    ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids,
                              bool skipSpecial) const {
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
  if (!tokenizer_->decoder_.isByteLevel())
    return tokenizer_->decoder_.push(state_, *bytes);
  std::string pending = std::exchange(held_, {});
  pending += *bytes;
  std::string text;
  appendLossy(pending, text, &held_);
  return text;
}

std::string StreamDecoder::finish() {
  if (!tokenizer_->decoder_.isByteLevel())
    return tokenizer_->decoder_.finish(state_);
  std::string text;
  appendLossy(std::exchange(held_, {}), text);
  return text;
}

} // namespace nibble
