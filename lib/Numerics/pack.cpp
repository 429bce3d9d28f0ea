// Sizes and offsets of codes and scales in a packed weight, and packing and
// unpacking of rows.
#include "lib/Numerics/pack.h"

#include "lib/Numerics/fragment.h"
#include "lib/Numerics/scale.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <vector>

namespace nibble::numerics {

static_assert(std::endian::native == std::endian::little,
              "words and scales are copied as they lie in memory");

namespace {

constexpr int64_t kLanes = 16; // N11
// Elements in one 64-byte block of the host layout.
constexpr int64_t kHostBlock = 8 * kLanes;
constexpr int64_t kMostBytes = int64_t{1} << 62;

int64_t ceilDiv(int64_t a, int64_t b) { return a / b + (a % b != 0); }

int biasOf(const PackedLayout &layout) {
  return static_cast<int>(layout.scheme.row().codeBias);
}

// One function for two layouts: interchange has one lane, host has sixteen. A
// block of 8*lanes elements is `lanes` words, and bits 4*s of word l hold
// element lanes*s + l of the block, plus the scheme's bias.
template <int64_t lanes>
void packBlock(const int8_t *codes, int bias, uint8_t *out) {
  uint32_t words[lanes] = {};
  for (int64_t step = 0; step < 8; ++step)
    for (int64_t lane = 0; lane < lanes; ++lane)
      words[lane] |=
          (static_cast<uint32_t>(codes[lanes * step + lane] + bias) & 0xFu)
          << (4 * step);
  std::memcpy(out, words, sizeof words);
}

template <int64_t lanes>
void unpackBlock(const uint8_t *in, int bias, int8_t *codes) {
  uint32_t words[lanes];
  std::memcpy(words, in, sizeof words);
  for (int64_t step = 0; step < 8; ++step)
    for (int64_t lane = 0; lane < lanes; ++lane)
      codes[lanes * step + lane] = static_cast<int8_t>(
          static_cast<int>((words[lane] >> (4 * step)) & 0xFu) - bias);
}

// Packs a row of k codes; code 0 fills the last block.
template <int64_t lanes>
void packRow(const int8_t *codes, int64_t k, int bias, uint8_t *row) {
  constexpr int64_t block = 8 * lanes;
  for (; k >= block; k -= block, codes += block, row += 4 * lanes)
    packBlock<lanes>(codes, bias, row);
  if (k > 0) {
    int8_t last[block] = {};
    std::memcpy(last, codes, static_cast<size_t>(k));
    packBlock<lanes>(last, bias, row);
  }
}

template <int64_t lanes>
void unpackRow(const uint8_t *row, int64_t k, int bias, int8_t *codes) {
  constexpr int64_t block = 8 * lanes;
  for (; k >= block; k -= block, codes += block, row += 4 * lanes)
    unpackBlock<lanes>(row, bias, codes);
  if (k > 0) {
    int8_t last[block];
    unpackBlock<lanes>(row, bias, last);
    std::memcpy(codes, last, static_cast<size_t>(k));
  }
}

// The byte offset of scale `index` in column `slab` of slabs. The layout must
// have slabs.
int64_t slabScaleOffset(const PackedLayout &layout, int64_t index,
                        int64_t slab) {
  int64_t groups = layout.groupsPerRow();
  int64_t row = index / groups;
  int64_t group = index % groups;
  int64_t perRow = layout.scalesPerSlabRow();
  int64_t place =
      ((row / kSlabRows * ceilDiv(layout.k, kSlabColumns) + slab) * kSlabRows +
       row % kSlabRows) *
      perRow;
  return layout.codeBytes() + layout.bytesOfScale() * (place + group % perRow);
}

// The range of slab columns, [first, end), that hold the scale.
std::pair<int64_t, int64_t> slabsOfScale(const PackedLayout &layout,
                                         int64_t index) {
  int64_t slabs = ceilDiv(layout.k, kSlabColumns);
  if (layout.scheme.groupSize == 0)
    return {0, slabs};
  int64_t first =
      index % layout.groupsPerRow() * layout.scheme.groupSize / kSlabColumns;
  return {first, first + 1};
}

uint8_t *nibbleOf(const PackedLayout &layout, uint8_t *slab, int64_t row,
                  int64_t k, int64_t &shift) {
  NibblePlace place = nibblePlace(row % kSlabRows, k % kSlabColumns);
  shift = place.shift;
  return slab +
         (row / kSlabRows * ceilDiv(layout.k, kSlabColumns) +
          k / kSlabColumns) *
             kSlabBytes +
         place.byte;
}

// Packs rows of codes into their slabs. The last row of the matrix also fills
// the padding after it.
void packSlabs(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
               const int8_t *codes, uint8_t *slab) {
  int64_t columns = ceilDiv(layout.k, kSlabColumns) * kSlabColumns;
  int64_t rows =
      rowEnd == layout.n ? ceilDiv(layout.n, kSlabRows) * kSlabRows : rowEnd;
  int bias = biasOf(layout);
  for (int64_t row = rowBegin; row < rows; ++row)
    for (int64_t k = 0; k < columns; ++k) {
      int64_t shift;
      uint8_t *byte = nibbleOf(layout, slab, row, k, shift);
      int code = row < rowEnd && k < layout.k
                     ? codes[(row - rowBegin) * layout.k + k]
                     : 0;
      *byte = static_cast<uint8_t>((*byte & ~(0xF << shift)) |
                                   (((code + bias) & 0xF) << shift));
    }
  for (int64_t row = layout.n; row < rows; ++row)
    for (int64_t k = 0; k < layout.k; k += kSlabColumns) {
      int64_t perRow = layout.scalesPerSlabRow();
      int64_t place = ((row / kSlabRows * ceilDiv(layout.k, kSlabColumns) +
                        k / kSlabColumns) *
                           kSlabRows +
                       row % kSlabRows) *
                      perRow;
      std::memset(slab + layout.codeBytes() + layout.bytesOfScale() * place, 0,
                  static_cast<size_t>(layout.bytesOfScale() * perRow));
    }
}

} // namespace

std::string PackedLayout::problem() const {
  if (n <= 0 || k <= 0)
    return "a packed weight needs positive extents, not " + std::to_string(n) +
           "x" + std::to_string(k);
  if (std::string reason = problemOf(scheme); !reason.empty())
    return reason;
  if (std::string reason = problemOf(scheme, k); !reason.empty())
    return reason;
  // A row has at most 2 k + 128 bytes of codes, padding included, and as many
  // bytes of scales.
  if (k > kMostBytes / 256 || n > kMostBytes / (4 * k + 256))
    return "a packed weight of " + std::to_string(n) + "x" + std::to_string(k) +
           " does not fit in memory";
  return {};
}

int64_t PackedLayout::codeRowBytes() const {
  if (scheme.row().codeBits == 8)
    return k;
  return layout == Layout::kInterchange ? ceilDiv(k, 8) * 4
                                        : ceilDiv(k, kHostBlock) * kLanes * 4;
}

// The groups that begin in the row of a slab, or the one group that covers it.
int64_t PackedLayout::scalesPerSlabRow() const {
  return scheme.groupSize == 0
             ? 1
             : std::max<int64_t>(1, kSlabColumns / scheme.groupSize);
}

int64_t PackedLayout::codeBytes() const {
  return inSlabs()
             ? ceilDiv(n, kSlabRows) * ceilDiv(k, kSlabColumns) * kSlabBytes
             : n * codeRowBytes();
}

int64_t PackedLayout::scaleBytes() const {
  if (inSlabs())
    return ceilDiv(n, kSlabRows) * ceilDiv(k, kSlabColumns) * kSlabRows *
           scalesPerSlabRow() * bytesOfScale();
  return scaleCount() * bytesOfScale();
}

int64_t PackedLayout::scaleCount() const {
  return (scheme.row().inBlocks ? ceilDiv(n, scheme.groupSize) : n) *
         groupsPerRow();
}

std::string toString(const PackedLayout &layout) {
  return "!qat.packed<" + std::to_string(layout.n) + "x" +
         std::to_string(layout.k) + ", " + toString(layout.scheme) + ", " +
         nameOf(layout.layout) + ">";
}

std::optional<PackedLayout> parsePacked(std::string_view text) {
  constexpr std::string_view prefix = "!qat.packed<";
  if (!text.starts_with(prefix) || !text.ends_with(">"))
    return std::nullopt;
  text = text.substr(prefix.size(), text.size() - prefix.size() - 1);
  size_t firstComma = text.find(',');
  size_t lastComma = text.rfind(',');
  if (firstComma == std::string_view::npos || firstComma == lastComma)
    return std::nullopt;

  PackedLayout packed;
  std::string_view extents = text.substr(0, firstComma);
  const char *end = extents.data() + extents.size();
  auto first = std::from_chars(extents.data(), end, packed.n);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != 'x')
    return std::nullopt;
  auto second = std::from_chars(first.ptr + 1, end, packed.k);
  if (second.ec != std::errc() || second.ptr != end)
    return std::nullopt;
  auto scheme =
      parseScheme(text.substr(firstComma + 1, lastComma - firstComma - 1));
  std::string_view layoutName = text.substr(lastComma + 1);
  while (layoutName.starts_with(" "))
    layoutName.remove_prefix(1);
  auto layout = layoutNamed(layoutName);
  if (!scheme || !layout)
    return std::nullopt;
  packed.scheme = *scheme;
  packed.layout = *layout;
  return packed.problem().empty() ? std::optional(packed) : std::nullopt;
}

void packCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
               const int8_t *codes, uint8_t *slab) {
  if (layout.inSlabs())
    return packSlabs(layout, rowBegin, rowEnd, codes, slab);
  int64_t rowBytes = layout.codeRowBytes();
  if (layout.scheme.row().codeBits == 8) {
    std::memcpy(slab + rowBegin * rowBytes, codes,
                static_cast<size_t>((rowEnd - rowBegin) * rowBytes));
    return;
  }
  auto *pack = layout.layout == Layout::kHost ? packRow<kLanes> : packRow<1>;
  for (int64_t row = rowBegin; row < rowEnd; ++row)
    pack(codes + (row - rowBegin) * layout.k, layout.k, biasOf(layout),
         slab + row * rowBytes);
}

void unpackCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
                 const uint8_t *slab, int8_t *codes) {
  int bias = biasOf(layout);
  if (layout.inSlabs()) {
    for (int64_t row = rowBegin; row < rowEnd; ++row)
      for (int64_t k = 0; k < layout.k; ++k) {
        int64_t shift;
        uint8_t byte =
            *nibbleOf(layout, const_cast<uint8_t *>(slab), row, k, shift);
        *codes++ = static_cast<int8_t>(((byte >> shift) & 0xF) - bias);
      }
    return;
  }
  int64_t rowBytes = layout.codeRowBytes();
  if (layout.scheme.row().codeBits == 8) {
    std::memcpy(codes, slab + rowBegin * rowBytes,
                static_cast<size_t>((rowEnd - rowBegin) * rowBytes));
    return;
  }
  auto *unpack =
      layout.layout == Layout::kHost ? unpackRow<kLanes> : unpackRow<1>;
  for (int64_t row = rowBegin; row < rowEnd; ++row)
    unpack(slab + row * rowBytes, layout.k, bias,
           codes + (row - rowBegin) * layout.k);
}

uint32_t loadScaleBits(const PackedLayout &layout, const uint8_t *slab,
                       int64_t index) {
  int64_t offset =
      layout.inSlabs()
          ? slabScaleOffset(layout, index, slabsOfScale(layout, index).first)
          : layout.codeBytes() + layout.bytesOfScale() * index;
  uint32_t bits = 0;
  std::memcpy(&bits, slab + offset, static_cast<size_t>(layout.bytesOfScale()));
  return bits;
}

float loadScale(const PackedLayout &layout, const uint8_t *slab,
                int64_t index) {
  return floatFromScale(layout.scheme.row().scaleType,
                        loadScaleBits(layout, slab, index));
}

void storeScale(const PackedLayout &layout, uint8_t *slab, int64_t index,
                uint32_t bits) {
  int64_t bytes = layout.bytesOfScale();
  auto store = [&](int64_t offset) {
    std::memcpy(slab + offset, &bits, static_cast<size_t>(bytes));
  };
  if (!layout.inSlabs())
    return store(layout.codeBytes() + bytes * index);
  // The last group of a row also sets the scales of its slab's padding to 0.
  auto [first, end] = slabsOfScale(layout, index);
  for (int64_t column = first; column < end; ++column)
    store(slabScaleOffset(layout, index, column));
  int64_t groups = layout.groupsPerRow();
  int64_t perRow = layout.scalesPerSlabRow();
  if (index % groups == groups - 1 && groups % perRow != 0)
    std::memset(slab + slabScaleOffset(layout, index, first) + bytes, 0,
                static_cast<size_t>(bytes * (perRow - groups % perRow)));
}

void repack(const PackedLayout &from, const uint8_t *in, Layout to,
            uint8_t *out) {
  PackedLayout target = from;
  target.layout = to;
  std::vector<int8_t> codes(static_cast<size_t>(from.k));
  for (int64_t row = 0; row < from.n; ++row) {
    unpackCodes(from, row, row + 1, in, codes.data());
    packCodes(target, row, row + 1, codes.data(), out);
  }
  for (int64_t index = 0; index < from.scaleCount(); ++index)
    storeScale(target, out, index, loadScaleBits(from, in, index));
}

} // namespace nibble::numerics
