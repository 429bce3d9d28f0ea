// Whole matrices onto the grid and back.
//
// Weights are bf16 bits [N, K], row-major (N1: round a float32 master with
// bf16FromFloats first). A weight that holds NaN or infinity has no codes: the
// functions then return the index n*K + k of the first one (N7) and leave `out`
// unspecified.
#pragma once

#include "lib/Numerics/pack.h"

namespace nibble::numerics {

// Index of the first NaN or infinity of `count` bf16 numbers.
std::optional<int64_t> firstNotFinite(const uint16_t *weight, int64_t count);

// N1 to N7: weight bf16 [N, K] to a slab of layout.bytes() bytes.
[[nodiscard]] std::optional<int64_t> quantizeMatrix(const uint16_t *weight,
                                                    const PackedLayout &layout,
                                                    uint8_t *slab);
// The same for rows [rowBegin, rowEnd) only, so that threads can share a
// matrix; `weight` and `slab` still are the whole. Of fp8 rowBegin is a
// multiple of 128, and rowEnd too or N.
[[nodiscard]] std::optional<int64_t>
quantizeRows(const uint16_t *weight, const PackedLayout &layout,
             int64_t rowBegin, int64_t rowEnd, uint8_t *slab);

inline std::optional<int64_t> quantizeMatrix(const uint16_t *weight, int64_t n,
                                             int64_t k, const Scheme &scheme,
                                             Layout layout, uint8_t *slab) {
  return quantizeMatrix(weight, PackedLayout{n, k, scheme, layout}, slab);
}

// N5: the weight bf16 [N, K] that a slab stands for, as rollout sees it.
void dequantizeMatrix(const uint8_t *slab, const PackedLayout &layout,
                      uint16_t *out);
void dequantizeRows(const uint8_t *slab, const PackedLayout &layout,
                    int64_t rowBegin, int64_t rowEnd, uint16_t *out);

// The weight bf16 [N, K] that is trained on: dequantize(quantize(weight)),
// except that the convention slime decodes with the scale before it is rounded
// to bf16. `out` may be `weight`.
[[nodiscard]] std::optional<int64_t> fakeQuantizeMatrix(const uint16_t *weight,
                                                        int64_t n, int64_t k,
                                                        const Scheme &scheme,
                                                        uint16_t *out);

} // namespace nibble::numerics
