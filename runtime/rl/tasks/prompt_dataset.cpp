// Reads rows of JSON lines within limits, and orders them for each epoch.
#include "runtime/rl/tasks/prompt_dataset.h"

#include "runtime/core/file.h"
#include "runtime/core/philox.h"
#include "runtime/formats/decimal.h"
#include "runtime/formats/io.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

namespace nibble {
namespace {

// Reads a file line by line, with memory for one line only.
class LineReader {
public:
  static Result<LineReader> open(const std::filesystem::path &path,
                                 int64_t longestLine) {
    NIBBLE_ASSIGN(FileReader file, FileReader::open(path));
    return LineReader(std::move(file), path.string(), longestLine);
  }

  // The next line without its newline; nullopt at the end.
  Result<std::optional<std::string>> next() {
    ++line_;
    std::string out;
    while (true) {
      size_t end = buffer_.find('\n', begin_);
      out.append(buffer_, begin_,
                 end == std::string::npos ? end : end - begin_);
      if (static_cast<int64_t>(out.size()) > longestLine_)
        return Status::badInput(fmt::format(
            "data {}: line has more than {} bytes; split the row up", where(),
            longestLine_));
      if (end != std::string::npos) {
        begin_ = end + 1;
        return std::optional(std::move(out));
      }
      buffer_.resize(size_t{1} << 16);
      begin_ = 0;
      NIBBLE_ASSIGN(size_t got,
                    file_.read(std::as_writable_bytes(std::span(buffer_))));
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
      : file_(std::move(file)), path_(std::move(path)),
        longestLine_(longestLine) {}

  FileReader file_;
  std::string path_;
  int64_t longestLine_;
  int64_t line_ = 0;
  std::string buffer_;
  size_t begin_ = 0;
};

// The names of an object's fields, for messages: "prompt", "label".
std::string namesIn(const Json &object) {
  std::string names;
  int count = 0;
  for (const auto &[key, value] : object.items()) {
    if (++count > 8)
      return names + ", ...";
    names +=
        fmt::format("{}\"{}\"", names.empty() ? "" : ", ", printable(key, 40));
  }
  return names.empty() ? "no field" : names;
}

// The kind of a value, for messages.
std::string kindOf(const Json &value) {
  if (value.is_boolean())
    return value.get<bool>() ? "true" : "false";
  if (numberText(value))
    return "a number";
  return value.is_null()     ? "null"
         : value.is_array()  ? "a list"
         : value.is_object() ? "an object"
                             : "a text";
}

// Whether this is a conversation: [{"role": "user", "content": "..."}, ...].
bool isMessages(const Json &value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json &message) {
           return message.is_object() &&
                  (message.contains("role") || message.contains("content"));
         });
}

constexpr const char *kChat =
    "a list of chat messages, and chat templates are not supported yet";

// The first field of a row that is a conversation.
std::optional<std::string> chatIn(const Json &row) {
  if (row.is_object())
    for (const auto &[key, value] : row.items())
      if (isMessages(value))
        return key;
  return std::nullopt;
}

// The value at a path of a row (DataOptions). `setting` is the path's name for
// the user: "task.answer_field".
Result<const Json *> findPath(const Json &row, const std::string &path,
                              const char *setting, const std::string &where) {
  auto wrong = [&](const std::string &why) {
    return Status::badInput(fmt::format(
        "data {}: field \"{}\" {}; correct the row or the field's name", where,
        path, why));
  };
  const Json *value = &row;
  std::string_view rest = path;
  std::string walked;
  while (true) {
    // Prefer the longest name that exists.
    const Json *next = nullptr;
    size_t end = rest.size();
    for (; value->is_object() && end != std::string_view::npos;
         end = end == 0 ? rest.npos : rest.rfind('.', end - 1))
      if (auto found = value->find(rest.substr(0, end));
          found != value->end()) {
        next = &*found;
        break;
      }
    if (value->is_array()) {
      end = std::min(rest.find('.'), rest.size());
      size_t place = 0;
      auto [stop, error] =
          std::from_chars(rest.data(), rest.data() + end, place);
      if (error == std::errc() && stop == rest.data() + end &&
          place < value->size())
        next = &(*value)[place];
    }
    if (!next) {
      std::string part(rest.substr(0, rest.find('.')));
      std::string has = value->is_object() ? namesIn(*value)
                        : value->is_array()
                            ? fmt::format("{} entries, from 0", value->size())
                            : "no fields, it is " + kindOf(*value);
      if (auto chat = walked.empty() ? chatIn(row) : std::nullopt)
        return wrong(fmt::format(
            "is missing: the row has {}, and \"{}\" is {}; name a field of "
            "plain text in {}, such as \"{}.0.content\" for the first message "
            "alone",
            has, printable(*chat, 40), kChat, setting, printable(*chat, 40)));
      if (walked.empty())
        return wrong(fmt::format(
            "is missing: the row has {}; add it, or name another in {}", has,
            setting));
      return wrong(fmt::format("is missing: \"{}\" has no \"{}\", it has {}; "
                               "add it, or name another in {}",
                               printable(walked), printable(part), has,
                               setting));
    }
    walked += (walked.empty() ? "" : ".") + std::string(rest.substr(0, end));
    value = next;
    if (end == rest.size())
      return value;
    rest.remove_prefix(end + 1);
  }
}

// The text at a path of a row. When `number` is not null, a number is allowed
// and becomes its plain decimal. `number` then receives the original text if
// that is shorter.
Result<std::string> textAt(const Json &row, const std::string &path,
                           const char *setting, std::string *number,
                           const std::string &where) {
  NIBBLE_ASSIGN(const Json *value, findPath(row, path, setting, where));
  if (value->is_string())
    return value->get<std::string>();
  auto wrong = [&](const std::string &why) {
    return Status::badInput(fmt::format(
        "data {}: field \"{}\" is {}; correct the row or the field's name",
        where, path, why));
  };
  if (auto written = numberText(*value); written && number) {
    auto text = plainDecimal(*written);
    if (text && text->size() > written->size())
      *number = *written;
    if (text)
      return *text;
    return wrong(fmt::format("the number {}, too long to write out; write the "
                             "text that is wanted in quotes",
                             printable(*written, 40)));
  }
  if (isMessages(*value))
    return wrong(fmt::format("{}; name a field of plain text in {}, such as "
                             "\"{}.0.content\" for the first message alone",
                             kChat, setting, path));
  const char *wanted = number ? "a text or a number" : "a text";
  if (value->is_array() && !value->empty())
    return wrong(fmt::format(
        "a list, not {}; name a place in it in {}, such as \"{}.0\"", wanted,
        setting, path));
  if (value->is_object() && !value->empty())
    return wrong(fmt::format(
        "an object, not {}; name a field in it in {}, such as \"{}.{}\"",
        wanted, setting, path, printable(value->begin().key(), 40)));
  return wrong(fmt::format("{}, not {}; {}", kindOf(*value), wanted,
                           value->is_null()
                               ? "give it a value or remove the row"
                               : "write it in quotes"));
}

Result<PromptRow> parseRow(std::string_view text, const std::string &where,
                           const DataOptions &options) {
  JsonLimits limits;
  limits.bytes = options.longestLineBytes;
  NIBBLE_ASSIGN(Json object,
                parseJson(text, where, limits, JsonNumbers::kText));
  if (!object.is_object())
    return Status::badInput(
        fmt::format("data {}: not an object; want {{\"{}\": \"...\"}}", where,
                    options.promptField));
  PromptRow row;
  NIBBLE_ASSIGN(row.prompt,
                textAt(object, options.promptField, "task.prompt_field",
                       /*number=*/nullptr, where));
  if (row.prompt.empty())
    return Status::badInput(
        fmt::format("data {}: field \"{}\" is empty; remove the row", where,
                    options.promptField));
  if (!options.referenceField.empty()) {
    NIBBLE_ASSIGN(row.reference,
                  textAt(object, options.referenceField, "task.answer_field",
                         &row.number, where));
  }
  return row;
}

} // namespace

Result<PromptDataset> PromptDataset::load(const std::filesystem::path &path,
                                          const DataOptions &options,
                                          const CountTokens &countTokens) {
  if (options.maximumPromptTokens > 0 && !countTokens)
    return Status::usage(
        "data: a limit of prompt tokens needs a tokenizer; give one");
  PromptDataset data;
  NIBBLE_ASSIGN(LineReader reader,
                LineReader::open(path, options.longestLineBytes));
  while (true) {
    NIBBLE_ASSIGN(std::optional<std::string> line, reader.next());
    if (!line)
      break;
    std::string_view text =
        withoutLineMarks(*line, /*isFirst=*/reader.line() == 1);
    if (isBlank(text))
      continue;
    NIBBLE_ASSIGN(PromptRow row, parseRow(text, reader.where(), options));
    row.line = reader.line();
    ++data.report_.rows;
    if (options.maximumPromptTokens > 0) {
      Result<int64_t> tokens = countTokens(row.prompt);
      if (!tokens.isOk())
        return std::move(tokens).takeStatus().within("data " + reader.where());
      data.report_.longestPromptTokens =
          std::max(data.report_.longestPromptTokens, *tokens);
      if (*tokens > options.maximumPromptTokens) {
        ++data.report_.tooLong;
        continue;
      }
    }
    data.rows_.push_back(std::move(row));
  }
  data.report_.summary =
      fmt::format("data {}: {} prompts", path.string(), data.size());
  if (data.report_.tooLong > 0)
    data.report_.summary +=
        fmt::format(", {} left out as longer than {} tokens (longest {})",
                    data.report_.tooLong, options.maximumPromptTokens,
                    data.report_.longestPromptTokens);
  if (data.rows_.empty())
    return Status::badInput(data.report_.summary +
                            "; give a file with prompts that fit");
  return data;
}

std::vector<int64_t> epochOrder(int64_t size, uint64_t seed, uint64_t epoch) {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  // Fisher-Yates shuffle; each exchange uses a draw with its own counter.
  for (int64_t i = size - 1; i > 0; --i) {
    uint64_t bits =
        randomBits(seed, RandomStream::kData, epoch,
                   static_cast<uint64_t>(i) >> 32, static_cast<uint64_t>(i));
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
