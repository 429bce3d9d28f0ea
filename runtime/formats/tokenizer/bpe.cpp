// Reads vocabulary and merges, and applies the merges to a piece of text.
#include "runtime/formats/tokenizer/bpe.h"

#include "runtime/formats/io.h"
#include "runtime/formats/tokenizer/byte_level.h"
#include "runtime/formats/tokenizer/tokenizer_fields.h"
#include "runtime/formats/tokenizer/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <utility>

namespace nibble {
namespace {

uint64_t pairKey(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 |
         static_cast<uint32_t>(right);
}

// Accepts both spellings: "a b" and ["a", "b"].
Result<std::pair<std::string, std::string>> parseMerge(const Json &value) {
  if (value.is_array() && value.size() == 2 && value[0].is_string() &&
      value[1].is_string())
    return std::pair(value[0].get<std::string>(), value[1].get<std::string>());
  if (value.is_string()) {
    const std::string &text = value.get_ref<const std::string &>();
    size_t space = text.find(' ');
    if (space != std::string::npos &&
        text.find(' ', space + 1) == std::string::npos)
      return std::pair(text.substr(0, space), text.substr(space + 1));
  }
  return Status::badInput(
      "is neither \"a b\" nor [\"a\", \"b\"]; correct the entry");
}

// Two neighbours that may be merged: the symbol at `at` and the next one.
struct Candidate {
  int32_t rank;
  uint32_t at;
  int32_t id;
  // The queue returns its largest element first, so a lower rank is larger,
  // then a place further left.
  bool operator<(const Candidate &other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

// A run of bytes that forms one token. It is dead once merged into the symbol
// before it.
struct Symbol {
  int32_t id;
  int32_t previous;
  int32_t next;
  bool isAlive = true;
};

} // namespace

const Bpe::Merge *Bpe::find(int32_t left, int32_t right) const {
  auto it = merges_.find(pairKey(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

std::optional<int32_t> Bpe::idOf(std::string_view entry) const {
  auto it = ids_.find(entry);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string_view> Bpe::bytesOf(int32_t id) const {
  if (id < 0 || id >= size() || tokens_[id].length < 0)
    return std::nullopt;
  return std::string_view(bytes_).substr(tokens_[id].begin, tokens_[id].length);
}

void Bpe::encode(std::string_view piece, std::vector<int32_t> &out) const {
  std::string alphabet;
  if (symbols_ == Symbols::kBytes && (ignoreMerges_ || !hasEveryByte_))
    for (char c : piece)
      alphabet += byteCharacter(static_cast<uint8_t>(c));
  std::string_view spelled = symbols_ == Symbols::kBytes ? alphabet : piece;
  if (ignoreMerges_)
    if (auto id = idOf(spelled)) {
      out.push_back(*id);
      return;
    }
  size_t begin = out.size();
  if (symbols_ == Symbols::kBytes && hasEveryByte_)
    for (char c : piece)
      out.push_back(byteIds_[static_cast<uint8_t>(c)]);
  else
    appendSymbols(spelled, out);
  merge(out, begin);
}

void Bpe::appendSymbols(std::string_view spelled,
                        std::vector<int32_t> &out) const {
  // An unknown token waits for the next known character, even when byte tokens
  // come in between. The reference implementation puts it after them.
  bool isWaiting = false;
  auto endUnknown = [&] {
    if (std::exchange(isWaiting, false))
      out.push_back(unknownId_);
  };
  for (size_t at = 0; at < spelled.size();) {
    std::string_view character =
        spelled.substr(at, stepUtf8(spelled.substr(at)).bytes);
    at += character.size();
    if (std::optional<int32_t> id = idOf(character)) {
      endUnknown();
      out.push_back(*id);
      continue;
    }
    auto fallback = [&](char c) {
      return fallbackIds_[static_cast<uint8_t>(c)];
    };
    if (byteFallback_ && std::ranges::all_of(character, [&](char c) {
          return fallback(c) >= 0;
        })) {
      for (char c : character)
        out.push_back(fallback(c));
      continue;
    }
    if (unknownId_ < 0)
      continue;
    if (!fuseUnknown_)
      endUnknown();
    isWaiting = true;
  }
  endUnknown();
}

void Bpe::merge(std::vector<int32_t> &out, size_t begin) const {
  int32_t count = static_cast<int32_t>(out.size() - begin);
  std::vector<Symbol> symbols(count);
  for (int32_t i = 0; i < count; ++i)
    symbols[i] = {out[begin + i], i - 1, i + 1 < count ? i + 1 : -1};
  out.resize(begin);

  std::priority_queue<Candidate> queue;
  auto consider = [&](int32_t at) {
    if (at < 0 || symbols[at].next < 0)
      return;
    if (const Merge *merge = find(symbols[at].id, symbols[symbols[at].next].id))
      queue.push({merge->rank, static_cast<uint32_t>(at), merge->id});
  };
  for (int32_t i = 0; i < count; ++i)
    consider(i);
  while (!queue.empty()) {
    Candidate best = queue.top();
    queue.pop();
    Symbol &left = symbols[best.at];
    if (!left.isAlive || left.next < 0)
      continue;
    Symbol &right = symbols[left.next];
    // The neighbours may have changed since the candidate was queued.
    const Merge *merge = find(left.id, right.id);
    if (!merge || merge->id != best.id)
      continue;
    left.id = best.id;
    left.next = right.next;
    right.isAlive = false;
    if (left.next >= 0)
      symbols[left.next].previous = static_cast<int32_t>(best.at);
    consider(left.previous);
    consider(static_cast<int32_t>(best.at));
  }
  for (int32_t i = 0; i >= 0 && i < count; i = symbols[i].next)
    out.push_back(symbols[i].id);
}

Status Bpe::readVocabulary(const Json &model) {
  auto it = model.find("vocab");
  if (it == model.end() || !it->is_object() || it->empty())
    return fields::wrong("vocab", "an object with entries");
  int64_t largest = -1;
  for (const auto &[entry, id] : it->items()) {
    if (entry.empty())
      return Status::badInput("vocab has an empty entry; remove it");
    if (!id.is_number_integer() || id < 0 || id >= kMaximumId)
      return Status::badInput(fmt::format(
          "vocab entry '{}' has id {}: want an integer from 0 to {}",
          printable(entry), printable(id.dump()), kMaximumId - 1));
    largest = std::max(largest, id.get<int64_t>());
  }
  tokens_.resize(largest + 1);
  ids_.reserve(it->size());
  for (const auto &[entry, value] : it->items()) {
    int32_t id = value.get<int32_t>();
    if (tokens_[id].length >= 0)
      return Status::badInput(fmt::format(
          "vocab gives id {} to two entries, one of them '{}'; correct one", id,
          printable(entry)));
    // Entries outside the alphabet are added tokens that were also listed here,
    // and their text is literal.
    std::string bytes = symbols_ == Symbols::kBytes
                            ? fromByteAlphabet(entry).value_or(entry)
                            : entry;
    tokens_[id] = {static_cast<uint32_t>(bytes_.size()),
                   static_cast<int32_t>(bytes.size())};
    bytes_ += bytes;
    ids_.emplace(entry, id);
  }
  for (int byte = 0; byte < 256; ++byte) {
    byteIds_[byte] =
        idOf(byteCharacter(static_cast<uint8_t>(byte))).value_or(-1);
    fallbackIds_[byte] = idOf(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
  return Status::ok();
}

// Bytes that never occur in UTF-8 may be missing.
void Bpe::warnOfMissingBytes() {
  int missing = 0;
  int first = -1;
  for (int byte = 0; byte < 256; ++byte) {
    if (byteIds_[byte] >= 0)
      continue;
    hasEveryByte_ = false;
    if (byte == 0xC0 || byte == 0xC1 || byte > 0xF4)
      continue;
    first = missing++ == 0 ? byte : first;
  }
  if (missing > 0)
    warnings_.push_back(
        fmt::format("vocab has no entry for {} of the bytes that text is made "
                    "of, the first 0x{:02X} "
                    "('{}'): {}; train the tokenizer with the whole alphabet",
                    missing, first, byteCharacter(static_cast<uint8_t>(first)),
                    unknownId_ >= 0 ? "they become unk_token"
                                    : "they are lost when text is encoded"));
}

Status Bpe::readMerges(const Json &model) {
  NIBBLE_ASSIGN(std::vector<const Json *> merges,
                fields::items(model, "merges"));
  merges_.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    auto parsed = parseMerge(*merges[i]);
    if (!parsed.isOk())
      return Status::badInput(
          fmt::format("merge {} {}", i, parsed.status().message()));
    const auto &[left, right] = *parsed;
    std::optional<int32_t> leftId = idOf(left);
    std::optional<int32_t> rightId = idOf(right);
    std::optional<int32_t> joined = idOf(left + right);
    if (!leftId || !rightId || !joined)
      return Status::badInput(
          fmt::format("merge {} is of '{}' and '{}': '{}' is not in vocab; add "
                      "it, or remove the merge",
                      i, left, right,
                      !leftId    ? left
                      : !rightId ? right
                                 : left + right));
    if (!merges_
             .try_emplace(pairKey(*leftId, *rightId),
                          Merge{static_cast<int32_t>(i), *joined})
             .second)
      return Status::badInput(
          fmt::format("merge {} ('{}', '{}') is given twice; remove one", i,
                      printable(left), printable(right)));
  }
  return Status::ok();
}

Result<Bpe> Bpe::create(const Json &model, Symbols symbols) {
  if (!model.is_object())
    return fields::wrong("model", "an object");
  // Old files omit the type.
  if (model.contains("type") && model["type"] != "BPE")
    return Status::badInput(
        fmt::format("model is {}: only BPE is supported",
                    printable(model["type"].dump(-1, ' ', true))));
  for (const char *key :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    if (fields::isSet(model, key))
      return Status::badInput(
          fmt::format("model has {}: only BPE without it is supported", key));
  Bpe bpe;
  bpe.symbols_ = symbols;
  NIBBLE_ASSIGN(bpe.ignoreMerges_, fields::flag(model, "ignore_merges", false));
  NIBBLE_ASSIGN(bpe.byteFallback_, fields::flag(model, "byte_fallback", false));
  NIBBLE_ASSIGN(bpe.fuseUnknown_, fields::flag(model, "fuse_unk", false));
  std::optional<std::string> unknownToken;
  if (auto unknown = model.find("unk_token");
      unknown != model.end() && !unknown->is_null()) {
    NIBBLE_ASSIGN(unknownToken, fields::text(model, "unk_token"));
  }
  NIBBLE_TRY(bpe.readVocabulary(model).within("model"));
  if (unknownToken) {
    std::optional<int32_t> id = bpe.idOf(*unknownToken);
    if (!id)
      return Status::badInput(fmt::format(
          "model has unk_token '{}', which is not in vocab; add it to vocab",
          printable(*unknownToken)));
    bpe.unknownId_ = *id;
  }
  if (symbols == Symbols::kBytes)
    bpe.warnOfMissingBytes();
  NIBBLE_TRY(bpe.readMerges(model).within("model"));
  return bpe;
}

} // namespace nibble
