// Quantizes and dequantizes whole matrices.
//
// Weights are bf16 bits [N, K], row-major (N1: round a float32 master with
// bf16FromFloats first). A weight that holds NaN or infinity has no codes. The
// functions then return the index n*K + k of the first one (N7) and leave `out`
// unspecified.
#pragma once

#include "lib/Numerics/pack.h"

namespace nibble::numerics {

// Index of the first NaN or infinity among `count` bf16 numbers.
std::optional<int64_t> firstNotFinite(const uint16_t *weight, int64_t count);

// Applies N1 to N7: bf16 weight [N, K] to a slab of layout.bytes() bytes.
[[nodiscard]] std::optional<int64_t> quantizeMatrix(const uint16_t *weight,
                                                    const PackedLayout &layout,
                                                    uint8_t *slab);
// The same for rows [rowBegin, rowEnd) only, so that threads can share a
// matrix. `weight` and `slab` are still the whole matrix. For a scheme in
// blocks rowBegin is a multiple of their side, and rowEnd is such a multiple or
// N.
[[nodiscard]] std::optional<int64_t>
quantizeRows(const uint16_t *weight, const PackedLayout &layout,
             int64_t rowBegin, int64_t rowEnd, uint8_t *slab);

inline std::optional<int64_t> quantizeMatrix(const uint16_t *weight, int64_t n,
                                             int64_t k, const Scheme &scheme,
                                             Layout layout, uint8_t *slab) {
  return quantizeMatrix(weight, PackedLayout{n, k, scheme, layout}, slab);
}

// N5: the bf16 weight [N, K] that a slab stands for, as rollout uses it.
void dequantizeMatrix(const uint8_t *slab, const PackedLayout &layout,
                      uint16_t *out);
void dequantizeRows(const uint8_t *slab, const PackedLayout &layout,
                    int64_t rowBegin, int64_t rowEnd, uint16_t *out);

// The bf16 weight [N, K] that is trained on: dequantize(quantize(weight)). The
// convention slime is the exception: it decodes with the scale before it is
// rounded to bf16. `out` may be `weight`.
[[nodiscard]] std::optional<int64_t> fakeQuantizeMatrix(const uint16_t *weight,
                                                        int64_t n, int64_t k,
                                                        const Scheme &scheme,
                                                        uint16_t *out);

} // namespace nibble::numerics
