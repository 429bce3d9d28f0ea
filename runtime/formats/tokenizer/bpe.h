// Byte-pair encoding over bytes or characters: the `model` of a tokenizer.json.
#pragma once

#include "runtime/core/status.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nibble {

class Bpe {
public:
  // Ids are below this: a file cannot ask for more memory than it has entries
  // for.
  static constexpr int64_t kMaximumId = int64_t{1} << 22;

  // Longest piece that encode takes, in bytes.
  static constexpr size_t kLongestPiece = size_t{1} << 30;

  // What entries are spelled in: bytes in GPT-2's alphabet (byte_level.h), or
  // the characters of the text.
  enum class Symbols { kBytes, kCharacters };

  // From the value of `model`. Bad input naming the entry: another type than
  // BPE, dropout, prefixes or suffixes, an unk_token that is no entry, ids out
  // of range or given twice, merges of or to what is no entry, and merges given
  // twice. Bytes of text that no entry stands for are a warning.
  static Result<Bpe> create(const nlohmann::json &model,
                            Symbols symbols = Symbols::kBytes);
  const std::vector<std::string> &warnings() const { return warnings_; }

  // Appends the ids of one piece, valid UTF-8 of at most kLongestPiece bytes:
  // its symbols are merged pair by pair, the pair of the lowest rank first and
  // of equal ones the leftmost, in O(n log n). With ignore_merges a piece that
  // is an entry is that entry. A symbol that is no entry becomes the tokens
  // "<0x..>" of its bytes where byte_fallback says so and all of them are
  // entries; else unk_token, one for a run of them with fuse_unk; else nothing,
  // as in the reference implementation.
  void encode(std::string_view piece, std::vector<int32_t> &out) const;

  // The id of an entry as the file spells it.
  std::optional<int32_t> idOf(std::string_view entry) const;
  // The bytes of an id, over characters those of its spelling; nullopt when
  // there is no such entry.
  std::optional<std::string_view> bytesOf(int32_t id) const;
  // One more than the largest id.
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }

private:
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  // Where the bytes of a token lie in `bytes_`; length -1 for an id without
  // entry.
  struct Span {
    uint32_t begin = 0;
    int32_t length = -1;
  };

  Status readVocabulary(const nlohmann::json &model);
  Status readMerges(const nlohmann::json &model);
  void warnOfMissingBytes();
  // Appends the tokens of the characters of `spelled` before any merge.
  void appendSymbols(std::string_view spelled, std::vector<int32_t> &out) const;
  // Merges out[begin...].
  void merge(std::vector<int32_t> &out, size_t begin) const;
  // The merge of two neighbours; null when there is none.
  const Merge *find(int32_t left, int32_t right) const;

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<Span> tokens_;
  std::string bytes_;
  Symbols symbols_ = Symbols::kBytes;
  int32_t byteIds_[256] = {};     // kBytes: by byte of the text, -1 for none
  bool hasEveryByte_ = true;      // kBytes
  int32_t fallbackIds_[256] = {}; // of "<0x00>" and so on, -1 for none
  int32_t unknownId_ = -1;        // of unk_token
  bool byteFallback_ = false, fuseUnknown_ = false;
  std::vector<std::string> warnings_;
  std::unordered_map<uint64_t, Merge> merges_;
  bool ignoreMerges_ = false;
};

} // namespace nibble
