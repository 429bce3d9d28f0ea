// Reads packed bytes into codes and scales, and writes them back.
#include "lib/Reference/Packed.h"

#include "lib/Numerics/grid.h"

#include <cassert>
#include <cstring>

using namespace mlir;
using namespace nibble;

ReferenceValue nibble::packedValue(qat::PackedType type,
                                   ArrayRef<uint8_t> slab) {
  numerics::PackedLayout layout = type.numericsLayout();
  ReferenceValue value = ReferenceValue::zero(type);
  assert(static_cast<int64_t>(slab.size()) == layout.bytes() &&
         "a slab of the type's size");
  std::vector<int8_t> codes(value.count());
  numerics::unpackCodes(layout, 0, layout.n, slab.data(), codes.data());
  bool isBits = layout.scheme.row().codeType != numerics::CodeType::kInteger;
  for (auto [to, code] : llvm::zip_equal(value.integers, codes))
    to = isBits ? static_cast<uint8_t>(code) : code;
  for (auto [index, scale] : llvm::enumerate(value.reals))
    scale = numerics::loadScale(layout, slab.data(), index);
  return value;
}

std::vector<uint8_t> nibble::packedBytes(const ReferenceValue &packed) {
  numerics::PackedLayout layout =
      cast<qat::PackedType>(packed.type).numericsLayout();
  std::vector<uint8_t> slab(layout.bytes());
  std::vector<int8_t> codes(packed.integers.begin(), packed.integers.end());
  numerics::packCodes(layout, 0, layout.n, codes.data(), slab.data());
  for (auto [index, real] : llvm::enumerate(packed.reals)) {
    numerics::storeScale(layout, slab.data(), index,
                         numerics::scaleFromFloat(layout.scheme.row().scaleType,
                                                  static_cast<float>(real)));
  }
  return slab;
}

ReferenceValue nibble::dequantized(const ReferenceValue &packed, Type element) {
  auto type = cast<qat::PackedType>(packed.type);
  numerics::Scheme scheme = type.getScheme().numericsScheme();
  int64_t n = type.getN();
  int64_t k = type.getK();
  int64_t groups = scheme.groupsPerRow(k);
  bool inBlocks = scheme.row().inBlocks;
  numerics::Grid grid(scheme);
  ReferenceValue weight =
      ReferenceValue::zero(RankedTensorType::get({n, k}, element));
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column) {
      int64_t code = packed.integers[row * k + column];
      int64_t length = scheme.groupLength(k);
      int64_t group =
          (inBlocks ? row / length : row) * groups + column / length;
      uint16_t value = grid.valueOf(static_cast<int8_t>(code),
                                    static_cast<float>(packed.reals[group]));
      weight(row, column) = numerics::floatFromBf16(value);
    }
  return weight;
}
