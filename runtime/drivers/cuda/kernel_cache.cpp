// Keeps machine code in a folder. The key comes from PTX, driver and chip.
#include "runtime/drivers/cuda/kernel_cache.h"

#include "runtime/core/file.h"
#include "runtime/core/hash.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace nibble::cuda {

static constexpr size_t kHashBytes = 32;
// The hash of the cubin and the cubin follow.
static constexpr std::string_view kMagic = "nibble cubin\n";

std::string defaultCacheFolder() {
  auto variable = [](const char *name) {
    const char *value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (std::string folder = variable("NIBBLE_CACHE_DIR"); !folder.empty())
    return folder;
  if (std::string folder = variable("XDG_CACHE_HOME"); !folder.empty())
    return folder + "/nibble";
  std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/nibble";
}

std::string KernelCache::keyOf(std::string_view ptx, int driverVersion,
                               std::string_view architecture,
                               std::string_view options) {
  return hash128(
      fmt::format("{}\n{}\n{}\n{}", driverVersion, architecture, options, ptx));
}

std::optional<std::string> KernelCache::find(const std::string &key) const {
  std::error_code ignored;
  if (folder_.empty() || !std::filesystem::exists(pathOf(key), ignored))
    return std::nullopt;
  auto content = readFile(pathOf(key));
  size_t header = kMagic.size() + kHashBytes;
  if (content.isOk() && content->size() > header &&
      content->starts_with(kMagic) &&
      content->compare(kMagic.size(), kHashBytes,
                       hash128(std::string_view(*content).substr(header))) == 0)
    return content->substr(header);
  warn_(fmt::format("{}: damaged, assembling the kernels anew", pathOf(key)));
  return std::nullopt;
}

void KernelCache::keep(const std::string &key, std::string_view cubin) const {
  if (folder_.empty())
    return;
  Status status = makeFolders(folder_);
  if (status.isOk())
    status = writeFileAtomically(
        pathOf(key), fmt::format("{}{}{}", kMagic, hash128(cubin), cubin));
  if (!status.isOk())
    warn_("kernels are not kept: " + status.message());
}

} // namespace nibble::cuda
