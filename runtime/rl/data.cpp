#include "runtime/rl/data.h"

#include "runtime/core/file.h"
#include "runtime/core/philox.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

namespace nibble {
namespace {

// The lines of a file, one at a time, with memory for one line only.
class LineReader {
public:
  static Result<LineReader> open(const std::filesystem::path &path, int64_t longestLine) {
    NIBBLE_ASSIGN(FileReader file, FileReader::open(path));
    return LineReader(std::move(file), path.string(), longestLine);
  }

  // Without its newline; nullopt at the end.
  Result<std::optional<std::string>> next() {
    ++line_;
    std::string out;
    while (true) {
      size_t end = buffer_.find('\n', begin_);
      out.append(buffer_, begin_, end == std::string::npos ? end : end - begin_);
      if (static_cast<int64_t>(out.size()) > longestLine_)
        return Status::badInput(
            fmt::format("data {}: line has more than {} bytes; split the row up", where(), longestLine_));
      if (end != std::string::npos) {
        begin_ = end + 1;
        return std::optional(std::move(out));
      }
      buffer_.resize(size_t{1} << 16);
      begin_ = 0;
      NIBBLE_ASSIGN(size_t got, file_.read(std::as_writable_bytes(std::span(buffer_))));
      buffer_.resize(got);
      if (got == 0 && out.empty())
        return std::optional<std::string>();
      if (got == 0)
        return std::optional(std::move(out));
    }
  }

  int64_t line() const { return line_; }
  std::string where() const { return fmt::format("{}:{}", path_, line_); }

private:
  LineReader(FileReader file, std::string path, int64_t longestLine)
      : file_(std::move(file)), path_(std::move(path)), longestLine_(longestLine) {}

  FileReader file_;
  std::string path_;
  int64_t longestLine_;
  int64_t line_ = 0;
  std::string buffer_;
  size_t begin_ = 0;
};

Result<PromptRow> parseRow(const std::string &text, const std::string &where, const DataOptions &options) {
  JsonLimits limits;
  limits.bytes = options.longestLineBytes;
  NIBBLE_ASSIGN(Json object, parseJson(text, where, limits));
  if (!object.is_object())
    return Status::badInput(
        fmt::format("data {}: not an object; want {{\"{}\": \"...\"}}", where, options.promptField));
  PromptRow row;
  NIBBLE_ASSIGN(row.prompt, stringField(object, options.promptField.c_str(), where));
  if (row.prompt.empty())
    return Status::badInput(fmt::format("data {}: field \"{}\" is empty; remove the row", where, options.promptField));
  if (options.referenceField.empty())
    return row;
  const Json *reference = findField(object, options.referenceField.c_str());
  if (reference && reference->is_number())
    row.reference = reference->dump();
  else {
    NIBBLE_ASSIGN(row.reference, stringField(object, options.referenceField.c_str(), where));
  }
  return row;
}

} // namespace

Result<PromptDataset> PromptDataset::load(const std::filesystem::path &path, const DataOptions &options,
                                          const CountTokens &countTokens) {
  if (options.maximumPromptTokens > 0 && !countTokens)
    return Status::usage("data has a limit of prompt tokens but no tokenizer; give one");
  PromptDataset data;
  NIBBLE_ASSIGN(LineReader reader, LineReader::open(path, options.longestLineBytes));
  while (true) {
    NIBBLE_ASSIGN(std::optional<std::string> line, reader.next());
    if (!line)
      break;
    if (reader.line() == 1 && line->starts_with("\xEF\xBB\xBF"))
      line->erase(0, 3);
    if (line->find_first_not_of(" \t\r") == std::string::npos)
      continue;
    NIBBLE_ASSIGN(PromptRow row, parseRow(*line, reader.where(), options));
    row.line = reader.line();
    ++data.report_.rows;
    if (options.maximumPromptTokens > 0) {
      Result<int64_t> tokens = countTokens(row.prompt);
      if (!tokens.isOk())
        return std::move(tokens).takeStatus().within("data " + reader.where());
      data.report_.longestPromptTokens = std::max(data.report_.longestPromptTokens, *tokens);
      if (*tokens > options.maximumPromptTokens) {
        ++data.report_.tooLong;
        continue;
      }
    }
    data.rows_.push_back(std::move(row));
  }
  data.report_.summary = fmt::format("data {}: {} prompts", path.string(), data.size());
  if (data.report_.tooLong > 0)
    data.report_.summary += fmt::format(", {} left out as longer than {} tokens (longest {})", data.report_.tooLong,
                                        options.maximumPromptTokens, data.report_.longestPromptTokens);
  if (data.rows_.empty())
    return Status::badInput(data.report_.summary + "; give a file with prompts that fit");
  return data;
}

std::vector<int64_t> epochOrder(int64_t size, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  // Fisher and Yates; the place to exchange with is a draw of its own counter.
  for (int64_t i = size - 1; i > 0; --i) {
    uint64_t bits =
        randomBits(seed, RandomStream::kData, epoch, static_cast<uint64_t>(i) >> 32, static_cast<uint64_t>(i));
    std::swap(order[i], order[toBelow(bits, static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

int64_t EpochRows::at(uint64_t place) const {
  uint64_t epoch = place / static_cast<uint64_t>(size_);
  if (order_.empty() || epoch != epoch_) {
    order_ = epochOrder(size_, seed_, epoch);
    epoch_ = epoch;
  }
  return order_[place % static_cast<uint64_t>(size_)];
}

} // namespace nibble
