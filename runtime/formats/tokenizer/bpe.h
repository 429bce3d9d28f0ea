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
  // All ids are below this limit, so a file cannot demand memory far beyond its
  // entries.
  static constexpr int64_t kMaximumId = int64_t{1} << 22;

  // The longest piece that encode accepts, in bytes.
  static constexpr size_t kLongestPiece = size_t{1} << 30;

  // The spelling of entries: bytes in GPT-2's alphabet (byte_level.h), or the
  // characters of the text.
  enum class Symbols { kBytes, kCharacters };

  // Reads the value of `model`. Bad input names the entry: a type other than
  // BPE, dropout, prefixes or suffixes, or an unk_token that is no entry.
  // Likewise ids out of range or duplicate, merges of or to something that is
  // no entry, and duplicate merges. Bytes of text without an entry are a
  // warning.
  static Result<Bpe> create(const nlohmann::json &model,
                            Symbols symbols = Symbols::kBytes);
  const std::vector<std::string> &warnings() const { return warnings_; }

  // Appends the ids of one piece of valid UTF-8, at most kLongestPiece bytes
  // long. Its symbols are merged pair by pair, lowest rank first and leftmost
  // among equals, in O(n log n). With ignore_merges a piece that is an entry
  // becomes that entry.
  //
  // A symbol without an entry becomes the tokens "<0x..>" of its bytes, if
  // byte_fallback is set and all of them are entries. Otherwise it becomes
  // unk_token, once for a run of such symbols with fuse_unk. Without unk_token
  // it becomes nothing, as in the reference implementation.
  void encode(std::string_view piece, std::vector<int32_t> &out) const;

  // The id of an entry in the file's spelling.
  std::optional<int32_t> idOf(std::string_view entry) const;
  // The bytes of an id. Over characters these are the bytes of its spelling.
  // nullopt when there is no such entry.
  std::optional<std::string_view> bytesOf(int32_t id) const;
  // The largest id plus one.
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
  // The place of a token's bytes in `bytes_`. The length is -1 for an id
  // without entry.
  struct Span {
    uint32_t begin = 0;
    int32_t length = -1;
  };

  Status readVocabulary(const nlohmann::json &model);
  Status readMerges(const nlohmann::json &model);
  void warnOfMissingBytes();
  // Appends the tokens for the characters of `spelled` before any merge.
  void appendSymbols(std::string_view spelled, std::vector<int32_t> &out) const;
  // Merges the tokens out[begin...].
  void merge(std::vector<int32_t> &out, size_t begin) const;
  // The merge of two neighbours, or null.
  const Merge *find(int32_t left, int32_t right) const;

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<Span> tokens_;
  std::string bytes_;
  Symbols symbols_ = Symbols::kBytes;
  // For kBytes: by byte of the text, -1 for none.
  int32_t byteIds_[256] = {};
  bool hasEveryByte_ = true;      // for kBytes
  int32_t fallbackIds_[256] = {}; // ids of "<0x00>" and so on, -1 for none
  int32_t unknownId_ = -1;        // id of unk_token
  bool byteFallback_ = false, fuseUnknown_ = false;
  std::vector<std::string> warnings_;
  std::unordered_map<uint64_t, Merge> merges_;
  bool ignoreMerges_ = false;
};

} // namespace nibble
