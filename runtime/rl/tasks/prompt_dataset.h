// Prompts from a file: JSON lines, one object a prompt, with an optional right
// answer.
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

// A field's name may be a path: "a.b" is the field of that name where a row has
// one, else field "b" of the object in field "a". A number names a place in a
// list, from 0: "messages.0.content".
struct DataOptions {
  std::string promptField = "prompt";
  // Empty: rows have no reference.
  std::string referenceField = "answer";
  int64_t longestLineBytes = int64_t{16} << 20;
  // Prompts of more tokens are left out and counted. 0: no limit.
  int64_t maximumPromptTokens = 0;
};

struct PromptRow {
  std::string prompt;
  std::string reference;
  // Of a reference that is a number and longer written out, the number as the
  // file has it: "1e400". Mostly empty.
  std::string number;
  // In the file, from 1: names the row in messages and logs.
  int64_t line = 0;
};

// What became of the lines of a file.
struct DataReport {
  int64_t rows = 0;
  int64_t tooLong = 0;
  // Tokens of the longest prompt there is; 0 without a token limit.
  int64_t longestPromptTokens = 0;
  // One line for the log: "data x.jsonl: 100 prompts, 3 left out as longer than
  // 512 tokens (longest 900)".
  std::string summary;
};

class PromptDataset {
public:
  // Tokens of a prompt; asked only when there is a limit.
  using CountTokens = std::function<Result<int64_t>(std::string_view)>;

  // Bad input naming file and line: no row that can be used, a line that is no
  // JSON object (a last line that was cut off among them), a field that is
  // missing or is no string, a list of chat messages (which needs a chat
  // template), an empty prompt, a line beyond the limit (which is not read
  // whole). A reference may be a number, and is then its plain decimal
  // (runtime/formats/decimal.h). Blank lines, CRLF line ends and a byte order
  // mark at the start are passed over.
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

// A permutation of 0 .. size-1, a function of (size, seed, epoch).
std::vector<int64_t> epochOrder(int64_t size, uint64_t seed, uint64_t epoch);

// Which row stands at a place (0, 1, ...) of a run: every epoch takes every row
// once, in an order of its own.
class EpochRows {
public:
  // size > 0
  EpochRows(int64_t size, uint64_t seed) : size_(size), seed_(seed) {}

  // Takes time proportional to the size when the epoch is another than the one
  // asked for last. One thread at a time.
  int64_t at(uint64_t place) const;

private:
  int64_t size_;
  uint64_t seed_;
  mutable std::vector<int64_t>
      order_; // of epoch_; empty before the first question
  mutable uint64_t epoch_ = 0;
};

} // namespace nibble
