// Spelling, parsing and checking of quantization schemes.
#include "lib/Numerics/scheme.h"

#include <array>
#include <charconv>

namespace nibble::numerics {

namespace {

constexpr std::array<const char *, 3> kKinds = {"int4", "int8", "fp8"};
constexpr std::array<const char *, 3> kConventions = {"nibble", "slime",
                                                      "compressed_tensors"};
constexpr std::array<const char *, 3> kLayouts = {"interchange", "host",
                                                  "hopper"};

template <typename Enum, size_t Size>
std::optional<Enum> named(const std::array<const char *, Size> &names,
                          std::string_view name) {
  for (size_t i = 0; i < Size; ++i)
    if (name == names[i])
      return static_cast<Enum>(i);
  return std::nullopt;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

// "key = value" -> value.
std::optional<std::string_view> valueOf(std::string_view field,
                                        std::string_view key) {
  size_t equals = field.find('=');
  if (equals == std::string_view::npos || trim(field.substr(0, equals)) != key)
    return std::nullopt;
  return trim(field.substr(equals + 1));
}

} // namespace

const char *nameOf(Kind kind) { return kKinds[static_cast<size_t>(kind)]; }
const char *nameOf(Convention convention) {
  return kConventions[static_cast<size_t>(convention)];
}
const char *nameOf(Layout layout) {
  return kLayouts[static_cast<size_t>(layout)];
}
std::optional<Kind> kindNamed(std::string_view name) {
  return named<Kind>(kKinds, name);
}
std::optional<Convention> conventionNamed(std::string_view name) {
  return named<Convention>(kConventions, name);
}
std::optional<Layout> layoutNamed(std::string_view name) {
  return named<Layout>(kLayouts, name);
}

std::optional<Convention> conventionSpelled(std::string_view text) {
  return conventionNamed(text == "compressed-tensors"
                             ? nameOf(Convention::kCompressedTensors)
                             : text);
}

std::string problemOf(const Scheme &scheme) {
  int64_t size = scheme.groupSize;
  if (scheme.kind == Kind::kFp8 && size != 128)
    return "N2: the block of fp8 is 128x128, so group_size is 128, not " +
           std::to_string(size);
  if (size != 0 && size != 16 && size != 32 && size != 64 && size != 128)
    return "N2: group_size is 16, 32, 64, 128 or 0 for the whole row, not " +
           std::to_string(size);
  if (scheme.convention != Convention::kNibble && scheme.kind != Kind::kInt4)
    return std::string("convention ") + nameOf(scheme.convention) +
           " exists for int4 only, not for " + nameOf(scheme.kind);
  return {};
}

std::string toString(const Scheme &scheme) {
  std::string text = std::string("<") + nameOf(scheme.kind) +
                     ", group_size = " + std::to_string(scheme.groupSize);
  if (scheme.convention != Convention::kNibble)
    text += std::string(", convention = ") + nameOf(scheme.convention);
  return text + ">";
}

std::optional<Scheme> parseScheme(std::string_view text) {
  text = trim(text);
  constexpr std::string_view prefix = "#qat.scheme";
  if (text.starts_with(prefix))
    text = trim(text.substr(prefix.size()));
  if (text.size() < 2 || text.front() != '<' || text.back() != '>')
    return std::nullopt;
  text = text.substr(1, text.size() - 2);

  std::array<std::string_view, 3> fields;
  size_t count = 0;
  while (true) {
    if (count == fields.size())
      return std::nullopt;
    size_t comma = text.find(',');
    fields[count++] = trim(text.substr(0, comma));
    if (comma == std::string_view::npos)
      break;
    text.remove_prefix(comma + 1);
  }
  if (count < 2)
    return std::nullopt;

  Scheme scheme;
  auto kind = kindNamed(fields[0]);
  auto group = valueOf(fields[1], "group_size");
  if (!kind || !group)
    return std::nullopt;
  scheme.kind = *kind;
  auto [end, error] = std::from_chars(
      group->data(), group->data() + group->size(), scheme.groupSize);
  if (error != std::errc() || end != group->data() + group->size())
    return std::nullopt;
  if (count == 3) {
    auto name = valueOf(fields[2], "convention");
    auto convention = name ? conventionNamed(*name) : std::nullopt;
    if (!convention)
      return std::nullopt;
    scheme.convention = *convention;
  }
  return scheme;
}

} // namespace nibble::numerics
