// Converts packed weights between their bytes and the reference's codes and
// scales.
#pragma once

#include "lib/Reference/Value.h"

#include "dialects/QAT/QAT.h"
#include "lib/Numerics/pack.h"

namespace nibble {

// Reads codes and scales from `slab`, which has type.getBytes() bytes; and the
// reverse, which writes all bytes, padding included.
ReferenceValue packedValue(qat::PackedType type, llvm::ArrayRef<uint8_t> slab);
std::vector<uint8_t> packedBytes(const ReferenceValue &packed);

// The weight [N, K] that a packed value stands for (N5). `element` is bf16 or
// f32.
ReferenceValue dequantized(const ReferenceValue &packed, mlir::Type element);

} // namespace nibble
