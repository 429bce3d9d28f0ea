// Byte-pair encoding over bytes: the `model` of a tokenizer.json.
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
  // Ids are below this: a file cannot ask for more memory than it has entries for.
  static constexpr int64_t kMaximumId = int64_t{1} << 22;

  // From the value of `model`. Bad input naming the entry: another type than BPE, byte_fallback, fused unknown tokens,
  // dropout, prefixes or suffixes, a byte that is no entry, ids out of range or given twice, merges of or to what is no
  // entry, and merges given twice.
  static Result<Bpe> create(const nlohmann::json &model);

  // Appends the ids of one piece: its bytes are merged pair by pair, the pair of the lowest rank first and of equal
  // ones the leftmost. With ignore_merges a piece that is an entry is that entry.
  void encode(std::string_view piece, std::vector<int32_t> &out) const;

  // The id of an entry as the file spells it.
  std::optional<int32_t> idOf(std::string_view entry) const;
  // The bytes of an id; nullopt when there is no such entry.
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
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // Where the bytes of a token lie in `bytes_`; length -1 for an id without entry.
  struct Span {
    uint32_t begin = 0;
    int32_t length = -1;
  };

  Status readVocabulary(const nlohmann::json &model);
  Status readMerges(const nlohmann::json &model);
  // The merge of two neighbours; null when there is none.
  const Merge *find(int32_t left, int32_t right) const;

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::vector<Span> tokens_;
  std::string bytes_;
  int32_t byteIds_[256] = {};
  std::unordered_map<uint64_t, Merge> merges_;
  bool ignoreMerges_ = false;
};

} // namespace nibble
