// Fields of one config.json, read by name. Reading a field declares it: from
// then on the reader knows it.
#pragma once

#include "runtime/formats/json.h"

#include <initializer_list>
#include <span>
#include <vector>

namespace nibble {

// The largest sizes that a configuration may have.
inline constexpr int64_t kMostTokens = int64_t{1} << 24; // a vocabulary
inline constexpr int64_t kMostWidth = int64_t{1} << 20;  // features or heads
inline constexpr int64_t kMostPositions = int64_t{1} << 40;

class ConfigReader {
public:
  // `config` is an object that must outlive the reader. `where` stands in
  // messages.
  ConfigReader(const Json &config, std::string where)
      : config_(config), where_(std::move(where)) {}

  const Json &json() const { return config_; }
  const std::string &where() const { return where_; }

  // These are like the functions of json.h. Bad input names the field when it
  // has another type or is out of range. `...Or` returns the fallback for an
  // absent field and for null. `key` must live as long as the reader, as a
  // literal does.
  Result<int64_t> integer(const char *key, int64_t least, int64_t most);
  Result<int64_t> integerOr(const char *key, int64_t least, int64_t most,
                            int64_t fallback);
  Result<double> numberOr(const char *key, double fallback);
  Result<bool> flagOr(const char *key, bool fallback);
  Result<std::string> text(const char *key);
  Result<std::string> textOr(const char *key, std::string fallback);
  // The field, or nullptr when it is absent or null.
  const Json *find(const char *key);
  // Whether the file has the field at all, even as null.
  bool has(const char *key);

  // Declares fields that are read elsewhere or do not affect the forward pass.
  void know(std::span<const char *const> keys);

  // Bad input because `what` is true of this configuration and the supported
  // families do not have it. The message lists the families.
  Status unsupported(const std::string &what) const;

  // Every field known so far, in the order of declaration.
  std::span<const char *const> known() const { return known_; }

private:
  const Json &config_;
  std::string where_;
  std::vector<const char *> known_;
};

} // namespace nibble
