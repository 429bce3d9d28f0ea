// Names, finds and keeps compiled programs in a folder.
#include "lib/Driver/ProgramCache.h"

#include "runtime/bundle/bundle.h"
#include "runtime/core/file.h"
#include "runtime/core/hash.h"
#include "runtime/formats/json.h"

#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <filesystem>
#include <link.h>

namespace nibble {

namespace {

struct BuildIds {
  std::string text; // one after the other, hexadecimal
  bool complete = true;
};

// The build ID of a file in memory, from its notes (elf(5)); empty without one.
std::string buildIdOf(const dl_phdr_info &file) {
  for (int i = 0; i < file.dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = file.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE)
      continue;
    const char *at =
        reinterpret_cast<const char *>(file.dlpi_addr + segment.p_vaddr);
    // The linker laid the notes out, and the loader has them in memory.
    for (size_t left = segment.p_memsz; left >= sizeof(ElfW(Nhdr));) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof(note));
      size_t nameBytes = (note.n_namesz + 3) & ~size_t{3};
      size_t size =
          sizeof(note) + nameBytes + ((note.n_descsz + 3) & ~size_t{3});
      if (size > left)
        break;
      const char *name = at + sizeof(note);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          std::memcmp(name, "GNU", 4) == 0) {
        std::string text;
        for (size_t byte = 0; byte < note.n_descsz; ++byte)
          text += fmt::format(
              "{:02x}", static_cast<unsigned char>(name[nameBytes + byte]));
        return text;
      }
      at += size;
      left -= size;
    }
  }
  return "";
}

// This executable, every library in it, and the kernel's own pages, which have
// no file.
const BuildIds &buildIds() {
  static const BuildIds ids = [] {
    BuildIds found;
    dl_iterate_phdr(
        [](dl_phdr_info *file, size_t, void *out) {
          auto &ids = *static_cast<BuildIds *>(out);
          std::string id = buildIdOf(*file);
          ids.complete &= !id.empty();
          ids.text += id + "\n";
          return 0;
        },
        &found);
    return found;
  }();
  return ids;
}

// The properties of the entry `key`. They hold the key, so that a file under
// the name of another is no entry.
std::string propertiesFor(const std::string &key) {
  return toText({{"key", key}});
}

// A link or a pipe under the name of an entry is somebody else's.
bool isFile(const std::string &path) {
  std::error_code error;
  return std::filesystem::is_regular_file(
      std::filesystem::symlink_status(path, error));
}

// Empty when there is no such entry, or it is damaged.
std::optional<Bundle> findEntry(const std::string &path,
                                const std::string &key) {
  if (key.empty() || !isFile(path))
    return std::nullopt;
  auto bundle = readBundle(path);
  if (!bundle.isOk() || bundle->sections["properties"] != propertiesFor(key))
    return std::nullopt;
  return *std::move(bundle);
}

// The folder is there, and `path` in it can be written.
Status prepareEntry(const std::string &folder, const std::string &path) {
  NIBBLE_TRY(makeFolders(folder));
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, error)) &&
      !isFile(path))
    return Status::environment(
        fmt::format("{} is no regular file; remove it", path));
  return Status::ok();
}

} // namespace

ProgramCache ProgramCache::fromEnvironment() {
  const char *folder = std::getenv("NIBBLE_PROGRAM_CACHE");
  return ProgramCache(folder ? folder : "");
}

std::string ProgramCache::key(mlir::ModuleOp module,
                              llvm::ArrayRef<std::string> settings) const {
  if (folder_.empty() || !buildIds().complete)
    return "";
  std::string text = buildIds().text;
  for (const std::string &setting : settings)
    text += setting + "\n";
  llvm::raw_string_ostream stream(text);
  module->print(stream, mlir::OpPrintingFlags().enableDebugInfo());
  return hash128(text);
}

std::string ProgramCache::pathOf(const std::string &key) const {
  return folder_ + "/" + key + ".nbl";
}

std::optional<host::ObjectFile>
ProgramCache::findObject(const std::string &key) const {
  std::optional<Bundle> bundle = findEntry(pathOf(key), key);
  if (!bundle)
    return std::nullopt;
  auto manifest = parseJson(bundle->sections["manifest"], key);
  if (!manifest.isOk() || !manifest->is_object())
    return std::nullopt;
  const Json *cpu = findField(*manifest, "cpu");
  const Json *features = findField(*manifest, "features");
  if (!cpu || !cpu->is_string() || !features || !features->is_array())
    return std::nullopt;
  host::ObjectFile object;
  object.bytes = std::move(bundle->sections["object"]);
  object.cpu = cpu->get<std::string>();
  for (const Json &feature : *features)
    if (feature.is_string())
      object.features.push_back(feature.get<std::string>());
  return object;
}

std::optional<DeviceProgram>
ProgramCache::findProgram(const std::string &key) const {
  std::optional<Bundle> bundle = findEntry(pathOf(key), key);
  if (!bundle)
    return std::nullopt;
  auto program = deviceProgramOf(*bundle, key);
  if (!program.isOk())
    return std::nullopt;
  return *std::move(program);
}

Status ProgramCache::keep(const std::string &key,
                          const host::ObjectFile &object) const {
  if (key.empty())
    return Status::ok();
  Bundle bundle;
  bundle.target = "host";
  bundle.sections["manifest"] =
      toText({{"cpu", object.cpu}, {"features", object.features}});
  bundle.sections["object"] = object.bytes;
  bundle.sections["properties"] = propertiesFor(key);
  NIBBLE_TRY(prepareEntry(folder_, pathOf(key)));
  return writeBundle(pathOf(key), bundle);
}

Status ProgramCache::keep(const std::string &key,
                          const DeviceProgram &program) const {
  if (key.empty())
    return Status::ok();
  NIBBLE_TRY(prepareEntry(folder_, pathOf(key)));
  return writeBundle(pathOf(key), program, "cuda", propertiesFor(key));
}

} // namespace nibble
