// JSON that we did not write: strict, bounded, and with errors that name file
// and place.
//
// Beyond RFC 8259 it refuses what parsers disagree about: duplicate keys, a
// byte order mark, bytes after the value. NaN and infinity do not exist in JSON
// and a number that overflows is refused too.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace nibble {

// Objects are sorted by key, so that what is written is a function of the
// content.
using Json = nlohmann::json;

struct JsonLimits {
  uint64_t bytes = uint64_t{64} << 20;
  int depth = 64;              // objects and arrays inside each other
  uint64_t values = 8'000'000; // numbers, strings, objects, ... in all
};

// Is this text that a JSON parser of ours may see at all? UTF-8 without a byte
// order mark or NUL (which nlohmann's lexer would skip, and take for the end).
// The reason when not.
std::optional<std::string> problemOfJsonText(std::string_view text);

// How a document holds its numbers.
enum class JsonNumbers {
  kValue, // 64-bit integers where they fit, doubles otherwise
  kText, // each as it is written, however long (numberText); nothing is rounded
         // and nothing overflows
};

// `where` stands in messages: a file's path.
Result<Json> parseJson(std::string_view text, const std::string &where,
                       const JsonLimits &limits = {},
                       JsonNumbers numbers = JsonNumbers::kValue);
// Passes over a byte order mark at the start of the file: editors put it there.
Result<Json> readJsonFile(const std::string &path,
                          const JsonLimits &limits = {});

// The characters of a number in a document that was parsed with
// JsonNumbers::kText; nullopt for any other value. The document holds them as
// binary values, which JSON text does not have.
std::optional<std::string> numberText(const Json &value);

// Two spaces of indentation and a newline at the end.
std::string toText(const Json &json);

// Fields of an object, each bad input naming `where` and the field when it has
// another type or leaves its range.
// `...Or` gives the fallback for an absent field and for null.
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
// The field when it is there and not null.
const Json *findField(const Json &object, const char *key);

} // namespace nibble
