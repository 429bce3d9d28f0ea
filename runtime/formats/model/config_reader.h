// Fields of one config.json, read by name. A field that was asked for is known
// from then on, so reading a field is all that declares it.
#pragma once

#include "runtime/formats/json.h"

#include <initializer_list>
#include <span>
#include <vector>

namespace nibble {

// Largest sizes that a configuration may name.
inline constexpr int64_t kMostTokens = int64_t{1} << 24; // a vocabulary
inline constexpr int64_t kMostWidth = int64_t{1} << 20;  // features, heads
inline constexpr int64_t kMostPositions = int64_t{1} << 40;

class ConfigReader {
public:
  // `config` is an object and outlives the reader; `where` stands in messages.
  ConfigReader(const Json &config, std::string where)
      : config_(config), where_(std::move(where)) {}

  const Json &json() const { return config_; }
  const std::string &where() const { return where_; }

  // As the functions of json.h: bad input that names the field when it has
  // another type or leaves its range. `...Or` gives the fallback for an absent
  // field and for null. `key` lives as long as the reader: it is a literal.
  Result<int64_t> integer(const char *key, int64_t least, int64_t most);
  Result<int64_t> integerOr(const char *key, int64_t least, int64_t most,
                            int64_t fallback);
  Result<double> numberOr(const char *key, double fallback);
  Result<bool> flagOr(const char *key, bool fallback);
  Result<std::string> text(const char *key);
  Result<std::string> textOr(const char *key, std::string fallback);
  // The field when it is there and not null.
  const Json *find(const char *key);
  // Whether the file has the field at all, null or not.
  bool has(const char *key);

  // Fields that others read or that say nothing about the forward pass.
  void know(std::span<const char *const> keys);

  // Bad input: `what` is true of this configuration and is other mathematics
  // than the supported families have. The message lists those.
  Status unsupported(const std::string &what) const;

  // Every field that is known so far, in the order in which it became so.
  std::span<const char *const> known() const { return known_; }

private:
  const Json &config_;
  std::string where_;
  std::vector<const char *> known_;
};

} // namespace nibble
