// The bytes of a quantized weight: one slab, first all codes, then all scales.
// The same memory as !qat.packed.
//
// - int4 stores u = q + 8; elements that only fill a word up are 8 (q = 0).
//   - interchange (N9): int32 words [N, ceil(K/8)], element i of a row in bits
//   4*(i%8) of word i/8.
//   - host: int32 words [N, ceil(K/128), 16]; bits 4*s of word l of block b
//   hold element k = 128*b + 16*s + l.
//   - hopper: slabs of 64 rows and 128 columns [ceil(N/64), ceil(K/128), 4096
//   bytes] as fragment.h has them. The scales of
//     a slab lie together as well: bf16 [ceil(N/64), ceil(K/128), 64, max(1,
//     128/G)], a longer group's scale in every slab that it touches; those of
//     padding are 0.
// - int8: bytes [N, K], two's complement. fp8: bytes [N, K], E4M3. The same in
// every layout.
// - scales but for int4 in layout hopper: bf16 [N, K/G]; fp8: float32
// [ceil(N/128), ceil(K/128)]. Words and scales are little-endian; the slab
// needs no alignment.
#pragma once

#include "lib/Numerics/scheme.h"

namespace nibble::numerics {

struct PackedLayout {
  int64_t n = 0; // rows, "out"
  int64_t k = 0; // elements of a row, "in"
  Scheme scheme;
  Layout layout = Layout::kInterchange;

  // Why this is no packed weight, empty when it is: extents, group size, N2, or
  // a size beyond 2^62 bytes. All that follows asks for an empty answer first.
  std::string problem() const;

  int64_t groupsPerRow() const { return scheme.groupsPerRow(k); }
  // Codes and scales lie in slabs, not in rows.
  bool inSlabs() const {
    return layout == Layout::kHopper && scheme.kind == Kind::kInt4;
  }
  int64_t codeRowBytes() const;     // not of slabs
  int64_t scalesPerSlabRow() const; // of slabs: scales of a row in one of them
  int64_t codeBytes() const;
  int64_t scaleCount() const; // different ones
  int64_t scaleBytes() const;
  int64_t bytes() const { return codeBytes() + scaleBytes(); }

  bool operator==(const PackedLayout &) const = default;
};

// "!qat.packed<2048x1024, <int4, group_size = 32>, host>", as MLIR prints the
// type.
std::string toString(const PackedLayout &layout);
// Its inverse; "#qat.scheme" before the scheme is allowed. The result's
// problem() is empty.
std::optional<PackedLayout> parsePacked(std::string_view text);

// Codes of rows [rowBegin, rowEnd): int8 [rows, K], row-major, to and from the
// slab. Of fp8 the bytes are E4M3. packCodes writes code bytes only, all of
// those rows, padding included; of slabs also the zero scales of rows beyond N.
void packCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
               const int8_t *codes, uint8_t *slab);
void unpackCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
                 const uint8_t *slab, int8_t *codes);

// Scale `index` (row-major over [N, groups] or, of fp8, over blocks) as the
// packed weight is decoded with it.
float loadScale(const PackedLayout &layout, const uint8_t *slab, int64_t index);
// Puts it there, everywhere where the layout has it: the bits of a bf16, or of
// a float32 (fp8).
void storeScale(const PackedLayout &layout, uint8_t *slab, int64_t index,
                uint32_t bits);

// The same weight in layout `to`: codes permuted, scales copied. Exact, its own
// inverse with the layouts exchanged. `out` has the bytes() of `from` with
// layout `to` and does not overlap `in`.
void repack(const PackedLayout &from, const uint8_t *in, Layout to,
            uint8_t *out);

} // namespace nibble::numerics
