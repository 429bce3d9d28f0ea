// Parses JSON with limits, and reads its typed fields.
#include "runtime/formats/json.h"

#include "runtime/formats/io.h"

#include <cmath>
#include <fmt/format.h>

namespace nibble {

namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

// Whether the text is a number by RFC 8259.
bool isNumber(std::string_view text) {
  auto digits = [&] {
    size_t count = 0;
    while (count < text.size() && isDigit(text[count]))
      ++count;
    text.remove_prefix(count);
    return count;
  };
  auto skip = [&](std::string_view characters) {
    bool found =
        !text.empty() && characters.find(text[0]) != std::string_view::npos;
    text.remove_prefix(found);
    return found;
  };
  skip("-");
  if (!skip("0") && digits() == 0)
    return false;
  if (skip(".") && digits() == 0)
    return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0)
      return false;
  }
  return text.empty();
}

// Replaces each number in the text by a 0 and spaces, and appends the number to
// `numbers`. Invalid numbers stay, so the parser refuses them at the right byte
// offset.
std::string takeNumbers(std::string_view text,
                        std::vector<std::string_view> &numbers) {
  std::string rest(text);
  bool isInString = false;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (isInString || (c != '-' && !isDigit(c))) {
      if (isInString && c == '\\')
        ++i;
      else if (c == '"')
        isInString = !isInString;
      ++i;
      continue;
    }
    std::string_view token = text.substr(i);
    token = token.substr(0, token.find_first_not_of("+-.0123456789eE"));
    if (isNumber(token)) {
      numbers.push_back(token);
      rest.replace(i, token.size(), token.size(), ' ');
      rest[i] = '0';
    }
    i += token.size();
  }
  return rest;
}

// Builds the document, and refuses some input that nlohmann's own builder
// accepts.
class Builder final : public nlohmann::json_sax<Json> {
public:
  // `numbers` holds the texts of the document's numbers in order; null means
  // that its own values count.
  Builder(const JsonLimits &limits,
          const std::vector<std::string_view> *numbers)
      : limits_(limits), numbers_(numbers) {}

  Json &document() { return document_; }
  const std::string &problem() const { return problem_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!numbers_)
      return put(value);
    if (nextNumber_ == numbers_->size())
      return refuse(
          "a number that JSON does not write so, such as one with a leading 0");
    std::string_view text = (*numbers_)[nextNumber_++];
    return put(Json::binary(std::vector<uint8_t>(text.begin(), text.end())));
  }
  bool number_float(number_float_t value, const string_t &text) override {
    return std::isfinite(value)
               ? put(value)
               : refuse("number " + text.substr(0, 40) + " is not finite");
  }
  bool string(string_t &value) override { return put(std::move(value)); }
  bool binary(binary_t &) override { return refuse("binary data"); }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t &key) override {
    if (open_.back()->contains(key))
      return refuse("key \"" + printable(key) + "\" twice in one object");
    key_ = std::move(key);
    return true;
  }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &error) override {
    std::string text = error.what();
    // The input has the form "[json.exception.parse_error.101] parse error at
    // line 1, column 2: syntax error while parsing value - invalid ...".
    if (size_t begin = text.find("] "); begin != std::string::npos)
      text = text.substr(begin + 2);
    if (numbers_) // the text read last has its numbers replaced
      text = text.substr(0, text.find("; last read: "));
    return refuse(fmt::format("byte {}: {}", position, printable(text, 200)));
  }

private:
  bool refuse(std::string why) {
    if (problem_.empty())
      problem_ = std::move(why);
    return false;
  }

  Json *place(Json value) {
    if (open_.empty()) {
      document_ = std::move(value);
      return &document_;
    }
    Json &parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[std::move(key_)] = std::move(value));
  }

  bool count() {
    return ++values_ <= limits_.values ||
           refuse(fmt::format("more than {} values", limits_.values));
  }

  bool put(Json value) {
    if (!count())
      return false;
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (!count())
      return false;
    if (static_cast<int>(open_.size()) >= limits_.depth)
      return refuse(fmt::format("nested deeper than {}", limits_.depth));
    open_.push_back(place(std::move(value)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  JsonLimits limits_;
  const std::vector<std::string_view> *numbers_;
  size_t nextNumber_ = 0;
  Json document_;
  // From the root down; a parent's container does not change while a child is
  // open.
  std::vector<Json *> open_;
  std::string key_, problem_;
  uint64_t values_ = 0;
};

Status wrongField(const std::string &where, const char *key, const Json &found,
                  const std::string &wanted) {
  std::string text = found.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60)
    text = text.substr(0, 60) + "...";
  return Status::badInput(
      fmt::format("{}: field \"{}\" is {}, not {}; correct the file", where,
                  key, text, wanted));
}

Status missingField(const std::string &where, const char *key) {
  return Status::badInput(
      fmt::format("{}: field \"{}\" is missing; add it", where, key));
}

} // namespace

std::optional<std::string> problemOfJsonText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    return "a NUL byte";
  if (text.starts_with("\xEF\xBB\xBF"))
    return "a byte order mark";
  if (!isUtf8(text))
    return "not UTF-8";
  return std::nullopt;
}

Result<Json> parseJson(std::string_view text, const std::string &where,
                       const JsonLimits &limits, JsonNumbers numbers) {
  auto wrong = [&](const std::string &why) {
    return Status::badInput(fmt::format(
        "JSON {}: {}; correct the file or fetch it again", where, why));
  };
  if (text.size() > limits.bytes)
    return wrong(fmt::format("{} bytes, more than the {} allowed", text.size(),
                             limits.bytes));
  if (auto problem = problemOfJsonText(text))
    return wrong(*problem);
  std::vector<std::string_view> texts;
  std::string rest;
  if (numbers == JsonNumbers::kText)
    rest = takeNumbers(text, texts);
  Builder builder(limits, numbers == JsonNumbers::kText ? &texts : nullptr);
  std::string_view parsed = numbers == JsonNumbers::kText ? rest : text;
  if (!Json::sax_parse(parsed.begin(), parsed.end(), &builder,
                       nlohmann::detail::input_format_t::json, /*strict=*/true))
    return wrong(builder.problem());
  return std::move(builder.document());
}

std::optional<std::string> numberText(const Json &value) {
  if (!value.is_binary())
    return std::nullopt;
  return std::string(value.get_binary().begin(), value.get_binary().end());
}

Result<Json> readJsonFile(const std::string &path, const JsonLimits &limits) {
  NIBBLE_ASSIGN(std::string text, readWholeFile(path, limits.bytes));
  return parseJson(withoutByteOrderMark(text), path, limits);
}

std::string toText(const Json &json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const Json *findField(const Json &object, const char *key) {
  auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<int64_t> integerFieldOr(const Json &object, const char *key,
                               const std::string &where, int64_t least,
                               int64_t most, int64_t fallback) {
  const Json *field = findField(object, key);
  if (!field)
    return fallback;
  bool fits = field->is_number_integer();
  if (field->is_number_unsigned())
    fits = field->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
  if (!fits || field->get<int64_t>() < least || field->get<int64_t>() > most)
    return wrongField(where, key, *field,
                      fmt::format("an integer from {} to {}", least, most));
  return field->get<int64_t>();
}

Result<int64_t> integerField(const Json &object, const char *key,
                             const std::string &where, int64_t least,
                             int64_t most) {
  if (!findField(object, key))
    return missingField(where, key);
  return integerFieldOr(object, key, where, least, most, 0);
}

Result<double> numberFieldOr(const Json &object, const char *key,
                             const std::string &where, double fallback) {
  const Json *field = findField(object, key);
  if (!field)
    return fallback;
  if (!field->is_number())
    return wrongField(where, key, *field, "a number");
  return field->get<double>();
}

Result<bool> boolFieldOr(const Json &object, const char *key,
                         const std::string &where, bool fallback) {
  const Json *field = findField(object, key);
  if (!field)
    return fallback;
  if (!field->is_boolean())
    return wrongField(where, key, *field, "true or false");
  return field->get<bool>();
}

Result<std::string> stringFieldOr(const Json &object, const char *key,
                                  const std::string &where,
                                  std::string fallback) {
  const Json *field = findField(object, key);
  if (!field)
    return fallback;
  if (!field->is_string())
    return wrongField(where, key, *field, "a string");
  return field->get<std::string>();
}

Result<std::string> stringField(const Json &object, const char *key,
                                const std::string &where) {
  if (!findField(object, key))
    return missingField(where, key);
  return stringFieldOr(object, key, where, {});
}

} // namespace nibble
