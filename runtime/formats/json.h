// JSON that we did not write. Parsing is strict and bounded, and errors name
// file and place.
//
// Beyond RFC 8259 it refuses input on which parsers disagree: duplicate keys, a
// byte order mark, bytes after the value. JSON has no NaN or infinity, and a
// number that overflows is refused too.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// Objects are sorted by key, so written text is a function of the content.
using Json = nlohmann::json;

struct JsonLimits {
  uint64_t bytes = uint64_t{64} << 20;
  int depth = 64; // nesting of objects and arrays
  // Total number of numbers, strings, objects and so on.
  uint64_t values = 8'000'000;
};

// Checks text before a JSON parser sees it: UTF-8 without a byte order mark or
// NUL. (nlohmann's lexer would skip the mark and take NUL for the end.) Returns
// the problem, if any.
std::optional<std::string> problemOfJsonText(std::string_view text);

// The representation of numbers in a document.
enum class JsonNumbers {
  kValue, // 64-bit integers where they fit, doubles otherwise
  // Each number as written, however long (numberText); nothing is rounded or
  // overflows.
  kText,
};

// `where` stands in messages, usually a file's path.
Result<Json> parseJson(std::string_view text, const std::string &where,
                       const JsonLimits &limits = {},
                       JsonNumbers numbers = JsonNumbers::kValue);
// Skips a byte order mark at the start of the file, because editors put it
// there.
Result<Json> readJsonFile(const std::string &path,
                          const JsonLimits &limits = {});

// The characters of a number in a document parsed with JsonNumbers::kText.
// nullopt for any other value. The document stores them as binary values, which
// JSON text does not have.
std::optional<std::string> numberText(const Json &value);

// Indents by two spaces and ends with a newline.
std::string toText(const Json &json);

// These read fields of an object. Bad input naming `where` and the field when
// it has another type or is out of range. `...Or` returns the fallback for an
// absent field and for null.
Result<int64_t> integerField(const Json &object, const char *key,
                             const std::string &where, int64_t least,
                             int64_t most);
Result<int64_t> integerFieldOr(const Json &object, const char *key,
                               const std::string &where, int64_t least,
                               int64_t most, int64_t fallback);
Result<double> numberFieldOr(const Json &object, const char *key,
                             const std::string &where, double fallback);
Result<bool> boolFieldOr(const Json &object, const char *key,
                         const std::string &where, bool fallback);
Result<std::string> stringField(const Json &object, const char *key,
                                const std::string &where);
Result<std::string> stringFieldOr(const Json &object, const char *key,
                                  const std::string &where,
                                  std::string fallback);
// The field, or nullptr when it is absent or null.
const Json *findField(const Json &object, const char *key);

} // namespace nibble
