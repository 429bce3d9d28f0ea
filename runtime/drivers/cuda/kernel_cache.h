// A cache on disk for machine code that the driver assembled from PTX.
#pragma once

#include "runtime/core/status.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace nibble::cuda {

// $NIBBLE_CACHE_DIR, else $XDG_CACHE_HOME/nibble, else ~/.cache/nibble. Empty
// (no cache) when none of these variables is set.
std::string defaultCacheFolder();

class KernelCache {
public:
  // `warn` receives one line when an entry is damaged or cannot be written. The
  // program continues without the entry.
  KernelCache(std::string folder, std::function<void(const std::string &)> warn)
      : folder_(std::move(folder)), warn_(std::move(warn)) {}

  // XXH3-128 of everything that the code depends on.
  static std::string keyOf(std::string_view ptx, int driverVersion,
                           std::string_view architecture,
                           std::string_view options);

  // Null when the entry is missing or damaged.
  std::optional<std::string> find(const std::string &key) const;
  void keep(const std::string &key, std::string_view cubin) const;

private:
  std::string pathOf(const std::string &key) const {
    return folder_ + "/" + key + ".cubin";
  }
  std::string folder_;
  std::function<void(const std::string &)> warn_;
};

} // namespace nibble::cuda
