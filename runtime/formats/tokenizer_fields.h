// Reading the fields of a tokenizer.json: every accessor says which field is missing or of the wrong kind.
#pragma once

#include "runtime/core/status.h"
#include "runtime/formats/json.h"

#include <string>
#include <vector>

namespace nibble::fields {

inline Status wrong(const std::string &key, const char *want) {
  return Status::badInput("field '" + key + "' is missing or is not " + want);
}

// The `type` of a part; bad input when the value is no object with one.
inline Result<std::string> type(const nlohmann::json &value) {
  if (!value.is_object() || !value.contains("type") || !value["type"].is_string())
    return wrong("type", "a string");
  return value["type"].get<std::string>();
}

inline Result<std::string> text(const nlohmann::json &value, const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || !it->is_string())
    return wrong(key, "a string");
  return it->get<std::string>();
}

// `otherwise` when the field is absent or null.
inline Result<bool> flag(const nlohmann::json &value, const std::string &key, bool otherwise) {
  auto it = value.find(key);
  if (it == value.end() || it->is_null())
    return otherwise;
  if (!it->is_boolean())
    return wrong(key, "true or false");
  return it->get<bool>();
}

// The elements of an array.
inline Result<std::vector<const nlohmann::json *>> items(const nlohmann::json &value, const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || !it->is_array())
    return wrong(key, "an array");
  std::vector<const nlohmann::json *> out;
  for (const nlohmann::json &element : *it)
    out.push_back(&element);
  return out;
}

// Whether the field says something: neither absent, null, false, 0 nor "".
inline bool isSet(const nlohmann::json &value, const std::string &key) {
  auto it = value.find(key);
  if (it == value.end() || it->is_null() || *it == false)
    return false;
  return !(it->is_number() && it->get<double>() == 0) &&
         !(it->is_string() && it->get_ref<const std::string &>().empty());
}

} // namespace nibble::fields
