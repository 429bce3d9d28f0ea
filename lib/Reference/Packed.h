// Packed weights: between their bytes in memory and the reference's codes and
// scales.
#pragma once

#include "lib/Reference/Value.h"

#include "dialects/QAT/QAT.h"
#include "lib/Numerics/pack.h"

namespace nibble {

// Codes and scales of `slab`, type.getBytes() bytes; and back: the bytes,
// padding included.
ReferenceValue packedValue(qat::PackedType type, llvm::ArrayRef<uint8_t> slab);
std::vector<uint8_t> packedBytes(const ReferenceValue &packed);

// The weight [N, K] that a packed value stands for (N5), with elements of type
// `element` (bf16 or f32).
ReferenceValue dequantized(const ReferenceValue &packed, mlir::Type element);

} // namespace nibble
