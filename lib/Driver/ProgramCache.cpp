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
  if (key.empty())
    return std::nullopt;
  auto bundle = readBundle(pathOf(key));
  if (!bundle.isOk())
    return std::nullopt; // not there, or damaged: it is compiled and written
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
  if (key.empty())
    return std::nullopt;
  auto bundle = readBundle(pathOf(key));
  if (!bundle.isOk())
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
  NIBBLE_TRY(makeFolders(folder_));
  return writeBundle(pathOf(key), bundle);
}

Status ProgramCache::keep(const std::string &key,
                          const DeviceProgram &program) const {
  if (key.empty())
    return Status::ok();
  NIBBLE_TRY(makeFolders(folder_));
  return writeBundle(pathOf(key), program);
}

} // namespace nibble
