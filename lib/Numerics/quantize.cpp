// Quantizes and dequantizes matrices group by group with the grid of grid.h.
#include "lib/Numerics/quantize.h"

#include "lib/Numerics/grid.h"

#include <cstring>
#include <vector>

namespace nibble::numerics {

namespace {

// Without the sign, bits order like magnitudes. Infinity and NaN are above
// kBf16LargestFinite.
uint16_t largestMagnitude(const uint16_t *weight, int64_t count) {
  uint16_t largest = 0;
  for (int64_t i = 0; i < count; ++i)
    largest = std::max<uint16_t>(largest, weight[i] & kBf16Magnitude);
  return largest;
}

// Visits the blocks of rows [rowBegin, rowEnd) by visit(scale index, row range,
// column range).
template <typename Visit>
void forEachBlock(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
                  Visit visit) {
  int64_t side = layout.scheme.groupSize;
  int64_t blocksPerRow = layout.groupsPerRow();
  for (int64_t row = rowBegin / side * side; row < rowEnd; row += side)
    for (int64_t column = 0; column < layout.k; column += side)
      visit(row / side * blocksPerRow + column / side, std::max(row, rowBegin),
            std::min(row + side, rowEnd), column,
            std::min(column + side, layout.k));
}

std::optional<int64_t> quantizeBlocks(const uint16_t *weight,
                                      const PackedLayout &layout,
                                      int64_t rowBegin, int64_t rowEnd,
                                      uint8_t *slab) {
  int64_t k = layout.k;
  if (auto index =
          firstNotFinite(weight + rowBegin * k, (rowEnd - rowBegin) * k))
    return rowBegin * k + *index;
  Grid grid(layout.scheme);
  forEachBlock(layout, rowBegin, rowEnd,
               [&](int64_t index, int64_t row0, int64_t row1, int64_t column0,
                   int64_t column1) {
                 uint16_t amax = 0;
                 for (int64_t row = row0; row < row1; ++row)
                   amax = std::max(amax,
                                   largestMagnitude(weight + row * k + column0,
                                                    column1 - column0));
                 Scale scale = grid.scaleOf(amax);
                 storeScale(layout, slab, index, scale.stored);
                 for (int64_t row = row0; row < row1; ++row)
                   for (int64_t column = column0; column < column1; ++column)
                     slab[row * k + column] = static_cast<uint8_t>(grid.codeOf(
                         floatFromBf16(weight[row * k + column]), scale.used));
               });
  return std::nullopt;
}

} // namespace

std::optional<int64_t> firstNotFinite(const uint16_t *weight, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    if (!isFiniteBf16(weight[i]))
      return i;
  return std::nullopt;
}

std::optional<int64_t> quantizeRows(const uint16_t *weight,
                                    const PackedLayout &layout,
                                    int64_t rowBegin, int64_t rowEnd,
                                    uint8_t *slab) {
  const Scheme &scheme = layout.scheme;
  if (scheme.row().inBlocks)
    return quantizeBlocks(weight, layout, rowBegin, rowEnd, slab);

  Grid grid(scheme);
  int64_t k = layout.k;
  int64_t length = scheme.groupLength(k);
  int64_t groups = layout.groupsPerRow();
  std::vector<int8_t> codes(static_cast<size_t>(k));
  std::vector<uint32_t> scales(static_cast<size_t>(groups));
  for (int64_t row = rowBegin; row < rowEnd; ++row) {
    for (int64_t group = 0; group < groups; ++group) {
      const uint16_t *x = weight + row * k + group * length;
      uint16_t amax = largestMagnitude(x, length);
      if (amax > kBf16LargestFinite)
        return row * k + group * length + *firstNotFinite(x, length);
      Scale scale = grid.scaleOf(amax);
      scales[static_cast<size_t>(group)] = scale.stored;
      int8_t *q = codes.data() + group * length;
      for (int64_t i = 0; i < length; ++i)
        q[i] = grid.codeOf(floatFromBf16(x[i]), scale.used);
    }
    packCodes(layout, row, row + 1, codes.data(), slab);
    for (int64_t group = 0; group < groups; ++group)
      storeScale(layout, slab, row * groups + group,
                 scales[static_cast<size_t>(group)]);
  }
  return std::nullopt;
}

std::optional<int64_t> quantizeMatrix(const uint16_t *weight,
                                      const PackedLayout &layout,
                                      uint8_t *slab) {
  return quantizeRows(weight, layout, 0, layout.n, slab);
}

void dequantizeRows(const uint8_t *slab, const PackedLayout &layout,
                    int64_t rowBegin, int64_t rowEnd, uint16_t *out) {
  int64_t k = layout.k;
  Grid grid(layout.scheme);
  if (layout.scheme.row().inBlocks) {
    forEachBlock(layout, rowBegin, rowEnd,
                 [&](int64_t index, int64_t row0, int64_t row1, int64_t column0,
                     int64_t column1) {
                   float scale = loadScale(layout, slab, index);
                   for (int64_t row = row0; row < row1; ++row)
                     for (int64_t column = column0; column < column1; ++column)
                       out[row * k + column] = grid.valueOf(
                           static_cast<int8_t>(slab[row * k + column]), scale);
                 });
    return;
  }
  int64_t length = layout.scheme.groupLength(k);
  int64_t groups = layout.groupsPerRow();
  std::vector<int8_t> codes(static_cast<size_t>(k));
  for (int64_t row = rowBegin; row < rowEnd; ++row) {
    unpackCodes(layout, row, row + 1, slab, codes.data());
    for (int64_t group = 0; group < groups; ++group) {
      float scale = loadScale(layout, slab, row * groups + group);
      for (int64_t i = group * length; i < (group + 1) * length; ++i)
        out[row * k + i] = grid.valueOf(codes[static_cast<size_t>(i)], scale);
    }
  }
}

void dequantizeMatrix(const uint8_t *slab, const PackedLayout &layout,
                      uint16_t *out) {
  dequantizeRows(slab, layout, 0, layout.n, out);
}

std::optional<int64_t> fakeQuantizeMatrix(const uint16_t *weight, int64_t n,
                                          int64_t k, const Scheme &scheme,
                                          uint16_t *out) {
  if (scheme.row().inBlocks) {
    PackedLayout layout{n, k, scheme, Layout::kInterchange};
    std::vector<uint8_t> slab(static_cast<size_t>(layout.bytes()));
    if (auto index = quantizeMatrix(weight, layout, slab.data()))
      return index;
    dequantizeMatrix(slab.data(), layout, out);
    return std::nullopt;
  }
  Grid grid(scheme);
  int64_t length = scheme.groupLength(k);
  for (int64_t begin = 0; begin < n * k; begin += length) {
    uint16_t amax = largestMagnitude(weight + begin, length);
    if (amax > kBf16LargestFinite)
      return begin + *firstNotFinite(weight + begin, length);
    float scale = grid.scaleOf(amax).used;
    for (int64_t i = begin; i < begin + length; ++i)
      out[i] =
          grid.valueOf(grid.codeOf(floatFromBf16(weight[i]), scale), scale);
  }
  return std::nullopt;
}

} // namespace nibble::numerics
