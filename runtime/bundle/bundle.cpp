// Writes and reads bundles, and detects damage.
#include "runtime/bundle/bundle.h"

#include "runtime/core/hash.h"
#include "runtime/formats/io.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace nibble {

static_assert(std::endian::native == std::endian::little,
              "bundles are little-endian");

namespace {

constexpr std::string_view kMagic = "nibble\r\n";
constexpr size_t kNameBytes = 16;
constexpr size_t kHashBytes = 32;
constexpr size_t kHeaderBytes = 32;
constexpr size_t kEntryBytes = 64;
constexpr size_t kSectionAlignment = 64;
constexpr uint32_t kMostSections = 64;
constexpr uint64_t kMostFileBytes = uint64_t{1} << 36;

template <typename T> void put(std::string &text, T value) {
  text.append(reinterpret_cast<const char *>(&value), sizeof(T));
}
template <typename T> T get(std::string_view text, size_t offset) {
  T value;
  std::memcpy(&value, text.data() + offset, sizeof(T));
  return value;
}
std::string padded(const std::string &name) {
  return name + std::string(kNameBytes - name.size(), '\0');
}
std::string unpadded(std::string_view text, size_t offset) {
  std::string_view name = text.substr(offset, kNameBytes);
  return std::string(name.substr(0, name.find('\0')));
}
size_t aligned(size_t bytes) {
  return (bytes + kSectionAlignment - 1) / kSectionAlignment *
         kSectionAlignment;
}

Status wrong(const std::string &path, const std::string &why) {
  return Status::badInput(fmt::format("bundle {}: {}", path, why));
}

struct Entry {
  std::string name;
  uint64_t offset, size;
  std::string hash;
};

// Reads the table of sections and checks every field against the file's `size`.
Result<std::vector<Entry>> readTable(const std::string &path,
                                     std::string_view text) {
  if (!text.starts_with(kMagic))
    return wrong(path, "is not a bundle; make one with nibble compile -o");
  auto cut = [&] {
    return wrong(path,
                 fmt::format("is cut after {} bytes; fetch or compile it again",
                             text.size()));
  };
  if (text.size() < kHeaderBytes)
    return cut();
  auto version = get<uint32_t>(text, 8);
  auto count = get<uint32_t>(text, 12);
  if (version != NIBBLE_ABI_VERSION)
    return Status::environment(
        fmt::format("bundle {}: made for interface version {}, this runtime "
                    "has {}; compile it again",
                    path, version, NIBBLE_ABI_VERSION));
  if (count > kMostSections)
    return wrong(
        path, fmt::format("lists {} sections; it is damaged, compile it again",
                          count));
  size_t tableEnd = kHeaderBytes + count * kEntryBytes;
  if (text.size() < tableEnd + kHashBytes)
    return cut();
  if (hash128(text.substr(0, tableEnd)) != text.substr(tableEnd, kHashBytes))
    return wrong(path, "its header is damaged; fetch or compile it again");
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < count; ++i) {
    size_t at = kHeaderBytes + i * kEntryBytes;
    Entry entry{unpadded(text, at), get<uint64_t>(text, at + 16),
                get<uint64_t>(text, at + 24),
                std::string(text.substr(at + 32, kHashBytes))};
    if (entry.offset > text.size() || entry.size > text.size() - entry.offset)
      return cut();
    entries.push_back(std::move(entry));
  }
  return entries;
}

} // namespace

Status writeBundle(const std::string &path, const Bundle &bundle) {
  std::string text(kMagic);
  put<uint32_t>(text, NIBBLE_ABI_VERSION);
  put<uint32_t>(text, static_cast<uint32_t>(bundle.sections.size()));
  text += padded(bundle.target);
  size_t offset =
      aligned(kHeaderBytes + bundle.sections.size() * kEntryBytes + kHashBytes);
  for (const auto &[name, content] : bundle.sections) {
    text += padded(name);
    put<uint64_t>(text, offset);
    put<uint64_t>(text, content.size());
    text += hash128(content);
    offset = aligned(offset + content.size());
  }
  text += hash128(text);
  for (const auto &[name, content] : bundle.sections) {
    text.resize(aligned(text.size()));
    text += content;
  }
  return writeFileAtomically(path, text);
}

bool isBundle(const std::string &path) {
  auto file = OpenedFile::open(path);
  std::string begin(kMagic.size(), '\0');
  return file.isOk() && file->size >= begin.size() &&
         file->readAt(0, std::as_writable_bytes(std::span(begin))).isOk() &&
         begin == kMagic;
}

Result<Bundle> readBundle(const std::string &path) {
  NIBBLE_ASSIGN(std::string text, readWholeFile(path, kMostFileBytes));
  NIBBLE_ASSIGN(std::vector<Entry> entries, readTable(path, text));
  Bundle bundle;
  bundle.target = unpadded(text, 16);
  if (bundle.target != "host" && bundle.target != "simt" &&
      bundle.target != "cuda")
    return wrong(
        path,
        fmt::format("is for target '{}'; compile it for host, simt or cuda",
                    printable(bundle.target)));
  for (const Entry &entry : entries) {
    std::string content = text.substr(entry.offset, entry.size);
    if (hash128(content) != entry.hash)
      return wrong(
          path,
          fmt::format("section '{}' is damaged; fetch or compile it again",
                      printable(entry.name)));
    if (!bundle.sections.emplace(entry.name, std::move(content)).second)
      return wrong(path, fmt::format("has two sections '{}'; compile it again",
                                     printable(entry.name)));
  }
  return bundle;
}

Result<Json> propertiesOf(const Bundle &bundle, const std::string &path) {
  auto section = bundle.sections.find("properties");
  return section == bundle.sections.end() ? Result<Json>(Json())
                                          : parseJson(section->second, path);
}

Status writeBundle(const std::string &path, const DeviceProgram &program,
                   const std::string &target, const std::string &properties) {
  Bundle bundle;
  bundle.target = target;
  Json image = {{"name", program.image.name}, {"target", program.image.target}};
  bundle.sections["manifest"] = toJson(program);
  bundle.sections["image"] = toText(image);
  bundle.sections["ptx"] = program.image.ptx;
  if (!program.image.cubin.empty())
    bundle.sections["cubin"] = program.image.cubin;
  if (!properties.empty())
    bundle.sections["properties"] = properties;
  return writeBundle(path, bundle);
}

Result<DeviceProgram> deviceProgramOf(const Bundle &bundle,
                                      const std::string &path) {
  if (bundle.target == "host")
    return wrong(path, "is a program for the host, not for a device; compile "
                       "it with --target=cuda");
  for (const char *name : {"manifest", "image", "ptx"})
    if (!bundle.sections.contains(name))
      return wrong(path,
                   fmt::format("has no section '{}'; compile it again", name));
  NIBBLE_ASSIGN(DeviceProgram program,
                parseDeviceProgram(bundle.sections.at("manifest"), path));
  NIBBLE_ASSIGN(Json image, parseJson(bundle.sections.at("image"), path));
  if (!image.is_object())
    return wrong(path, "its image is described by no object; compile it again");
  NIBBLE_ASSIGN(program.image.name, stringField(image, "name", path));
  NIBBLE_ASSIGN(program.image.target, stringField(image, "target", path));
  program.image.ptx = bundle.sections.at("ptx");
  if (auto cubin = bundle.sections.find("cubin");
      cubin != bundle.sections.end())
    program.image.cubin = cubin->second;
  return program;
}

} // namespace nibble
