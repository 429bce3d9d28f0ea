// Prompts from a file of JSON lines: one object per prompt, with an optional
// reference answer.
//
//   {"prompt": "What is 12 + 7?", "answer": "19"}
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// A field's name may be a path. "a.b" is the field of that name if the row has
// one, else field "b" of the object in field "a". A number is an index into a
// list, from 0: "messages.0.content".
struct DataOptions {
  std::string promptField = "prompt";
  // When empty, rows have no reference.
  std::string referenceField = "answer";
  int64_t longestLineBytes = int64_t{16} << 20;
  // Longer prompts are left out and counted. 0 means no limit.
  int64_t maximumPromptTokens = 0;
};

struct PromptRow {
  std::string prompt;
  std::string reference;
  // The original text of a numeric reference ("1e400") when its plain decimal
  // is longer. Usually empty.
  std::string number;
  // Line in the file, from 1, which names the row in messages and logs.
  int64_t line = 0;
};

// Counts the lines of a file by their use.
struct DataReport {
  int64_t rows = 0;
  int64_t tooLong = 0;
  // Tokens of the longest prompt; 0 without a token limit.
  int64_t longestPromptTokens = 0;
  // One line for the log: "data x.jsonl: 100 prompts, 3 left out as longer than
  // 512 tokens (longest 900)".
  std::string summary;
};

class PromptDataset {
public:
  // Counts the tokens of a prompt. It is called only when there is a limit.
  using CountTokens = std::function<Result<int64_t>(std::string_view)>;

  // Loads a file. Bad input naming file and line in these cases:
  //   - no row is usable
  //   - a line is no JSON object, for example a truncated last line
  //   - a field is missing, is no string, or is a list of chat messages (which
  //     needs a chat template)
  //   - a prompt is empty
  //   - a line exceeds the limit (it is not read whole)
  // A reference may be a number, which becomes its plain decimal
  // (runtime/formats/decimal.h). Blank lines, CRLF line ends and a byte order
  // mark at the start are skipped.
  static Result<PromptDataset> load(const std::filesystem::path &path,
                                    const DataOptions &options,
                                    const CountTokens &countTokens = {});

  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  const DataReport &report() const { return report_; }
  const PromptRow &operator[](int64_t row) const { return rows_[row]; }
  std::vector<PromptRow> takeRows() && { return std::move(rows_); }

private:
  std::vector<PromptRow> rows_;
  DataReport report_;
};

// A permutation of 0 .. size-1 that is a function of (size, seed, epoch).
std::vector<int64_t> epochOrder(int64_t size, uint64_t seed, uint64_t epoch);

// The row at a place (0, 1, ...) of a run. Every epoch takes every row once, in
// an order of its own.
class EpochRows {
public:
  // `size` must be positive.
  EpochRows(int64_t size, uint64_t seed) : size_(size), seed_(seed) {}

  // Takes time proportional to the size when the epoch differs from that of the
  // last call. Not thread-safe.
  int64_t at(uint64_t place) const;

private:
  int64_t size_;
  uint64_t seed_;
  // Order of epoch_; empty before the first call.
  mutable std::vector<int64_t> order_;
  mutable uint64_t epoch_ = 0;
};

} // namespace nibble
