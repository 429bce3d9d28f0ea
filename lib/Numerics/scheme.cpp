// Spelling, parsing and checking of quantization schemes.
#include "lib/Numerics/scheme.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace nibble::numerics {

namespace {

constexpr std::array<int64_t, 5> kGroups = {0, 16, 32, 64, 128};
constexpr std::array<int64_t, 1> kBlocks128 = {128};
constexpr std::array<int64_t, 1> kGroups32 = {32};
constexpr std::array kOnlyNibble = {Convention::kNibble};
constexpr std::array kEveryConvention = {
    Convention::kNibble, Convention::kSlime, Convention::kCompressedTensors};

// A new scheme needs a row here and an enumerator. A new type of codes or
// scales also needs its encoding: in grid.h and scale.h for plain numbers, and
// in passes/Kernels/Grid.cpp for kernels.
constexpr std::array kSchemes = {
    SchemeRow{.kind = Kind::kInt4,
              .name = "int4",
              .codeType = CodeType::kInteger,
              .codeBits = 4,
              .codeBias = 8,
              .largest = 7.0f,
              .groupSizes = kGroups,
              .inBlocks = false,
              .scaleType = ScaleType::kBF16,
              .conventions = kEveryConvention,
              .isFixedPoint = true,
              .summary = "integers -7..7, a scale bf16(amax / 7) for each "
                         "group (N3 to N5)"},
    SchemeRow{.kind = Kind::kInt8,
              .name = "int8",
              .codeType = CodeType::kInteger,
              .codeBits = 8,
              .codeBias = 0,
              .largest = 127.0f,
              .groupSizes = kGroups,
              .inBlocks = false,
              .scaleType = ScaleType::kBF16,
              .conventions = kOnlyNibble,
              .isFixedPoint = false,
              .summary = "integers -127..127, a scale bf16(amax / 127) for "
                         "each group"},
    SchemeRow{.kind = Kind::kFp8,
              .name = "fp8",
              .codeType = CodeType::kE4M3,
              .codeBits = 8,
              .codeBias = 0,
              .largest = 448.0f,
              .groupSizes = kBlocks128,
              .inBlocks = true,
              .scaleType = ScaleType::kF32,
              .conventions = kOnlyNibble,
              .isFixedPoint = false,
              .summary = "E4M3 numbers, a float32 scale amax / 448 for each "
                         "block of 128x128"},
    SchemeRow{.kind = Kind::kMxfp4,
              .name = "mxfp4",
              .codeType = CodeType::kE2M1,
              .codeBits = 4,
              .codeBias = 0,
              .largest = 6.0f,
              .groupSizes = kGroups32,
              .inBlocks = false,
              .scaleType = ScaleType::kE8M0,
              .conventions = kOnlyNibble,
              .isFixedPoint = true,
              .summary = "E2M1 numbers, an E8M0 scale 2^(floor(log2 amax) - 2) "
                         "for each 32 (OCP MX)"}};

constexpr std::array kConventions = {
    ConventionRow{.convention = Convention::kNibble,
                  .name = "nibble",
                  .spelling = "nibble",
                  .isExact = true,
                  .isForRuns = true,
                  .summary = "the scale is rounded to the type it is stored in "
                             "before anything uses it"},
    ConventionRow{.convention = Convention::kSlime,
                  .name = "slime",
                  .spelling = "slime",
                  .isExact = false,
                  .isForRuns = true,
                  .summary = "a float32 scale in training and its bf16 in "
                             "rollout, as the public stack has it; shows its "
                             "mismatch"},
    ConventionRow{.convention = Convention::kCompressedTensors,
                  .name = "compressed_tensors",
                  .spelling = "compressed-tensors",
                  .isExact = true,
                  .isForRuns = false,
                  .summary = "amax / 7.5 and the code -8, the arithmetic of "
                             "llm-compressor; for import and export"}};

constexpr std::array<const char *, 3> kLayouts = {"interchange", "host",
                                                  "hopper"};

// Checks that the row at index i belongs to enumerator i.
template <typename Rows, typename Enum, typename Row>
constexpr bool areInOrder(const Rows &rows, Enum Row::*key) {
  for (size_t i = 0; i < rows.size(); ++i)
    if (static_cast<size_t>(rows[i].*key) != i)
      return false;
  return true;
}
static_assert(areInOrder(kSchemes, &SchemeRow::kind));
static_assert(areInOrder(kConventions, &ConventionRow::convention));

// "a, b and c"
std::string joined(const std::vector<std::string> &texts,
                   std::string_view last) {
  std::string line;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0)
      line += i + 1 == texts.size() ? last : ", ";
    line += texts[i];
  }
  return line;
}

// "128x128" for blocks, "32" for groups.
std::string groupText(const SchemeRow &row, int64_t size) {
  std::string text = std::to_string(size);
  return row.inBlocks ? text + "x" + text : text;
}

// "16, 32, 64, 128", without the 0 that stands for a row.
std::vector<std::string> positiveSizes(std::span<const int64_t> sizes) {
  std::vector<std::string> texts;
  for (int64_t size : sizes)
    if (size != 0)
      texts.push_back(std::to_string(size));
  return texts;
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

std::span<const SchemeRow> schemeTable() { return kSchemes; }
std::span<const ConventionRow> conventionTable() { return kConventions; }
const SchemeRow &rowOf(Kind kind) {
  return kSchemes[static_cast<size_t>(kind)];
}
const ConventionRow &rowOf(Convention convention) {
  return kConventions[static_cast<size_t>(convention)];
}

int64_t bytesOf(ScaleType type) {
  switch (type) {
  case ScaleType::kBF16:
    return 2;
  case ScaleType::kF32:
    return 4;
  case ScaleType::kE8M0:
    return 1;
  }
  return 0;
}

const char *nameOf(Kind kind) { return rowOf(kind).name; }
const char *nameOf(Convention convention) { return rowOf(convention).name; }
const char *nameOf(Layout layout) {
  return kLayouts[static_cast<size_t>(layout)];
}

std::optional<Kind> kindNamed(std::string_view name) {
  for (const SchemeRow &row : kSchemes)
    if (name == row.name)
      return row.kind;
  return std::nullopt;
}
std::optional<Convention> conventionNamed(std::string_view name) {
  for (const ConventionRow &row : kConventions)
    if (name == row.name)
      return row.convention;
  return std::nullopt;
}
std::optional<Layout> layoutNamed(std::string_view name) {
  for (size_t i = 0; i < kLayouts.size(); ++i)
    if (name == kLayouts[i])
      return static_cast<Layout>(i);
  return std::nullopt;
}

std::optional<Convention> conventionSpelled(std::string_view text) {
  for (const ConventionRow &row : kConventions)
    if (text == row.spelling || text == row.name)
      return row.convention;
  return std::nullopt;
}

Scheme schemeOf(Kind kind, int64_t groupSize, Convention convention) {
  std::span<const int64_t> sizes = rowOf(kind).groupSizes;
  return {kind, sizes.size() == 1 ? sizes.front() : groupSize, convention};
}

bool takesGroupSize(Kind kind, int64_t groupSize) {
  std::span<const int64_t> sizes = rowOf(kind).groupSizes;
  return std::find(sizes.begin(), sizes.end(), groupSize) != sizes.end() ||
         (sizes.size() == 1 && groupSize == kDefaultGroupSize);
}

std::string problemOf(const Scheme &scheme) {
  const SchemeRow &row = scheme.row();
  std::string size = std::to_string(scheme.groupSize);
  bool hasSize = std::find(row.groupSizes.begin(), row.groupSizes.end(),
                           scheme.groupSize) != row.groupSizes.end();
  if (!hasSize && row.groupSizes.size() == 1) {
    std::string only = std::to_string(row.groupSizes.front());
    return std::string("N2: the ") + (row.inBlocks ? "block" : "group") +
           " of " + row.name + " is " + groupText(row, row.groupSizes.front()) +
           ", so group_size is " + only + ", not " + size;
  }
  if (!hasSize)
    return "N2: group_size is " + joined(positiveSizes(row.groupSizes), ", ") +
           " or 0 for the whole row, not " + size;
  if (std::find(row.conventions.begin(), row.conventions.end(),
                scheme.convention) != row.conventions.end())
    return {};
  std::vector<std::string> kinds;
  for (const SchemeRow &other : kSchemes)
    if (std::find(other.conventions.begin(), other.conventions.end(),
                  scheme.convention) != other.conventions.end())
      kinds.emplace_back(other.name);
  return std::string("convention ") + nameOf(scheme.convention) +
         " exists for " + joined(kinds, " and ") + " only, not for " + row.name;
}

std::string problemOf(const Scheme &scheme, int64_t k) {
  if (scheme.divides(k))
    return {};
  return "N2: K = " + std::to_string(k) +
         " does not divide by group_size = " + std::to_string(scheme.groupSize);
}

std::vector<const char *> schemeNames() {
  std::vector<const char *> names;
  for (const SchemeRow &row : kSchemes)
    names.push_back(row.name);
  names.push_back("none");
  return names;
}

std::vector<const char *> runConventions() {
  std::vector<const char *> names;
  for (const ConventionRow &row : kConventions)
    if (row.isForRuns)
      names.push_back(row.spelling);
  return names;
}

std::string schemeChoices(std::string_view last, bool withNone) {
  std::vector<const char *> names = schemeNames();
  if (!withNone)
    names.pop_back();
  return joined(std::vector<std::string>(names.begin(), names.end()), last);
}

std::string conventionChoices(std::string_view last) {
  std::vector<std::string> names;
  for (const ConventionRow &row : kConventions)
    names.emplace_back(row.spelling);
  return joined(names, last);
}

std::vector<int64_t> groupSizes() {
  std::vector<int64_t> sizes;
  for (const SchemeRow &row : kSchemes)
    if (row.groupSizes.size() > 1)
      sizes.insert(sizes.end(), row.groupSizes.begin(), row.groupSizes.end());
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

std::string groupSizeChoices() {
  return joined(positiveSizes(groupSizes()), ", ");
}

std::string fixedGroupSizes() {
  std::vector<std::string> texts;
  for (const SchemeRow &row : kSchemes)
    if (row.groupSizes.size() == 1)
      texts.push_back(std::string(row.name) + " always " +
                      groupText(row, row.groupSizes.front()));
  return joined(texts, ", ");
}

std::string describeSchemes() {
  auto line = [](std::string name, const char *summary) {
    name.resize(std::max<size_t>(name.size(), 20), ' ');
    return "  " + name + "  " + summary + "\n";
  };
  std::string text = "Schemes:\n";
  for (const SchemeRow &row : kSchemes)
    text += line(row.name, row.summary);
  text += "Conventions:\n";
  for (const ConventionRow &row : kConventions)
    text += line(row.spelling, row.summary);
  return text;
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
