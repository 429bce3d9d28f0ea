// Copies the files beside the weights, except weights of other formats.
#include "runtime/formats/checkpoint/companion_files.h"

#include "runtime/core/file.h"

#include <algorithm>
#include <filesystem>

namespace nibble {

namespace fs = std::filesystem;

namespace {

// Weights of other formats would be the old ones.
bool isOtherWeights(const fs::path &path) {
  constexpr const char *extensions[] = {".safetensors", ".bin",     ".pt",
                                        ".pth",         ".ckpt",    ".gguf",
                                        ".h5",          ".msgpack", ".onnx"};
  std::string name = path.filename().string();
  return name.ends_with(".index.json") ||
         std::any_of(
             std::begin(extensions), std::end(extensions),
             [&](const char *extension) { return name.ends_with(extension); });
}

} // namespace

Result<CompanionFiles>
copyCompanionFiles(const std::string &source, const AtomicFolder &target,
                   const std::vector<std::string> &written) {
  CompanionFiles files;
  NIBBLE_ASSIGN(std::vector<std::string> names, listFolder(source));
  for (const std::string &name : names) {
    std::string path = source + "/" + name;
    std::error_code error;
    if (std::find(written.begin(), written.end(), name) != written.end())
      continue;
    if (!fs::is_regular_file(path, error) || isOtherWeights(path) ||
        !staysInside(source, path)) {
      files.skipped.push_back(name);
      continue;
    }
    NIBBLE_TRY(copyFileAtomically(path, target / name));
    files.copied.push_back(name);
  }
  return files;
}

} // namespace nibble
