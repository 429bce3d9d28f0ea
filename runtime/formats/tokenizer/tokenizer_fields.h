// Reads the fields of a tokenizer.json. Every accessor's error says which field
// is missing or has the wrong type.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/io.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace nibble::fields {

inline Status wrong(const std::string &key, const char *want) {
  return Status::badInput("field '" + key + "' is missing or is not " + want +
                          "; correct the field");
}

// The `type` of a part. Bad input when the value is no object or has no type.
inline Result<std::string> type(const nlohmann::json &value) {
  if (!value.is_object() || !value.contains("type") ||
      !value["type"].is_string())
    return wrong("type", "a string");
  return value["type"].get<std::string>();
}

inline Result<std::string> text(const nlohmann::json &value,
                                const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || !it->is_string())
    return wrong(key, "a string");
  return it->get<std::string>();
}

// Returns `otherwise` when the field is absent or null.
inline Result<bool> flag(const nlohmann::json &value, const std::string &key,
                         bool otherwise) {
  auto it = value.find(key);
  if (it == value.end() || it->is_null())
    return otherwise;
  if (!it->is_boolean())
    return wrong(key, "true or false");
  return it->get<bool>();
}

// The elements of an array.
inline Result<std::vector<const nlohmann::json *>>
items(const nlohmann::json &value, const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || !it->is_array())
    return wrong(key, "an array");
  std::vector<const nlohmann::json *> out;
  for (const nlohmann::json &element : *it)
    out.push_back(&element);
  return out;
}

// The parts of a value that is null, one part, or a Sequence of parts below
// `key`. Nested Sequences are flattened in order.
inline Result<std::vector<const nlohmann::json *>>
parts(const nlohmann::json &value, const std::string &key) {
  std::vector<const nlohmann::json *> out;
  if (value.is_null())
    return out;
  NIBBLE_ASSIGN(std::string kind, type(value));
  if (kind != "Sequence")
    return std::vector<const nlohmann::json *>{&value};
  NIBBLE_ASSIGN(std::vector<const nlohmann::json *> elements,
                items(value, key));
  for (const nlohmann::json *element : elements) {
    NIBBLE_ASSIGN(std::vector<const nlohmann::json *> inner,
                  parts(*element, key));
    out.insert(out.end(), inner.begin(), inner.end());
  }
  return out;
}

// A `pattern`: literal text or a regular expression.
struct PatternText {
  std::string text;
  bool isRegex = false;

  // A regular expression that matches the same text.
  std::string expression() const {
    if (isRegex)
      return text;
    std::string out;
    for (char c : text) {
      if (std::string_view(R"(\.+*?()|[]{}^$#&-~ )").find(c) !=
          std::string_view::npos)
        out.push_back('\\');
      out.push_back(c);
    }
    return out;
  }
};

// Reads the pattern of the part that messages call `name`.
inline Result<PatternText> pattern(const nlohmann::json &value,
                                   const char *name) {
  auto it = value.find("pattern");
  if (it == value.end() || !it->is_object() || it->size() != 1 ||
      !it->begin()->is_string())
    return Status::badInput(fmt::format("{} has no pattern: want {{\"Regex\": "
                                        "\"...\"}} or {{\"String\": \"...\"}}",
                                        name));
  const std::string &kind = it->begin().key();
  if (kind != "Regex" && kind != "String")
    return Status::badInput(
        fmt::format("{} has a pattern of kind '{}': want Regex or String", name,
                    printable(kind)));
  return PatternText{it->begin()->get<std::string>(), kind == "Regex"};
}

// Whether the field has an effect: it is neither absent, null, false, 0 nor "".
inline bool isSet(const nlohmann::json &value, const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || it->is_null() || *it == false)
    return false;
  return !(it->is_number() && it->get<double>() == 0) &&
         !(it->is_string() && it->get_ref<const std::string &>().empty());
}

} // namespace nibble::fields
