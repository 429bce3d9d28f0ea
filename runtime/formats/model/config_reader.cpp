// Reads fields of config.json by name and notes which names it knows.
#include "runtime/formats/model/config_reader.h"

#include "runtime/formats/model/family.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>

namespace nibble {

void ConfigReader::know(std::span<const char *const> keys) {
  for (const char *key : keys)
    if (std::none_of(known_.begin(), known_.end(),
                     [&](std::string_view other) { return other == key; }))
      known_.push_back(key);
}

const Json *ConfigReader::find(const char *key) {
  know({&key, 1});
  return findField(config_, key);
}

bool ConfigReader::has(const char *key) {
  know({&key, 1});
  return config_.contains(key);
}

Result<int64_t> ConfigReader::integer(const char *key, int64_t least,
                                      int64_t most) {
  know({&key, 1});
  return integerField(config_, key, where_, least, most);
}

Result<int64_t> ConfigReader::integerOr(const char *key, int64_t least,
                                        int64_t most, int64_t fallback) {
  know({&key, 1});
  return integerFieldOr(config_, key, where_, least, most, fallback);
}

Result<double> ConfigReader::numberOr(const char *key, double fallback) {
  know({&key, 1});
  return numberFieldOr(config_, key, where_, fallback);
}

Result<bool> ConfigReader::flagOr(const char *key, bool fallback) {
  know({&key, 1});
  return boolFieldOr(config_, key, where_, fallback);
}

Result<std::string> ConfigReader::text(const char *key) {
  know({&key, 1});
  return stringField(config_, key, where_);
}

Result<std::string> ConfigReader::textOr(const char *key,
                                         std::string fallback) {
  know({&key, 1});
  return stringFieldOr(config_, key, where_, std::move(fallback));
}

Status ConfigReader::unsupported(const std::string &what) const {
  return Status::badInput(fmt::format("{}: {}; plain {} decoders are supported",
                                      where_, what, familyNames(" and ")));
}

} // namespace nibble
