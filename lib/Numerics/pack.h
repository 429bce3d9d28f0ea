// The bytes of a quantized weight: one slab, first all codes, then all scales.
// The memory of !qat.packed is the same.
//
// The row of schemeTable says how many bits a code has, what bias memory adds
// to it, and how many bytes a scale has. Padding elements have code 0, so they
// hold the bias (int4: 8).
//
// Codes of four bits have these layouts:
//
// - interchange (N9): int32 words [N, ceil(K/8)]. Element i of a row is in bits
//   4*(i%8) of word i/8.
// - host: int32 words [N, ceil(K/128), 16]. Bits 4*s of word l of block b hold
//   element k = 128*b + 16*s + l.
// - hopper: slabs of 64 rows and 128 columns, [ceil(N/64), ceil(K/128), 4096
//   bytes], in the order of fragment.h. The scales of a slab lie together as
//   well: [ceil(N/64), ceil(K/128), 64, max(1, 128/G)]. The scale of a longer
//   group stands in every slab that it touches. Scales of padding have bits 0.
//
// Codes of eight bits are the same in every layout: bytes [N, K]. Integers are
// in two's complement.
//
// Outside slabs scales are [N, K/G], or [ceil(N/G), ceil(K/G)] for blocks.
// Words and scales are little-endian. The slab needs no alignment.
#pragma once

#include "lib/Numerics/scheme.h"

namespace nibble::numerics {

struct PackedLayout {
  int64_t n = 0; // rows, "out"
  int64_t k = 0; // elements of a row, "in"
  Scheme scheme;
  Layout layout = Layout::kInterchange;

  // Why this is not a valid packed weight, empty when it is: extents, group
  // size, N2, or more than 2^62 bytes. Every other function requires an empty
  // answer.
  std::string problem() const;

  int64_t groupsPerRow() const { return scheme.groupsPerRow(k); }
  // Whether codes and scales lie in slabs of 64 x 128 elements instead of in
  // rows.
  bool inSlabs() const {
    return layout == Layout::kHopper && scheme.row().codeBits == 4;
  }
  int64_t bytesOfScale() const { return bytesOf(scheme.row().scaleType); }
  int64_t codeRowBytes() const;     // only without slabs
  int64_t scalesPerSlabRow() const; // scales of one row in one slab
  int64_t codeBytes() const;
  int64_t scaleCount() const; // different scales
  int64_t scaleBytes() const;
  int64_t bytes() const { return codeBytes() + scaleBytes(); }

  bool operator==(const PackedLayout &) const = default;
};

// "!qat.packed<2048x1024, <int4, group_size = 32>, host>", as MLIR prints the
// type.
std::string toString(const PackedLayout &layout);
// The inverse of toString. "#qat.scheme" before the scheme is allowed. The
// result has an empty problem().
std::optional<PackedLayout> parsePacked(std::string_view text);

// Copies the codes of rows [rowBegin, rowEnd), int8 [rows, K], row-major, to
// and from the slab; codes that are no integers are their bits. packCodes
// writes all code bytes of those rows, padding included, and no scales, except
// the zero scales of rows beyond N in slabs.
void packCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
               const int8_t *codes, uint8_t *slab);
void unpackCodes(const PackedLayout &layout, int64_t rowBegin, int64_t rowEnd,
                 const uint8_t *slab, int8_t *codes);

// The scale `index` that decodes the packed weight, and its bits. `index` is
// row-major over [N, groups], or over the blocks.
float loadScale(const PackedLayout &layout, const uint8_t *slab, int64_t index);
uint32_t loadScaleBits(const PackedLayout &layout, const uint8_t *slab,
                       int64_t index);
// Stores the bits of a scale wherever the layout has a copy of it.
void storeScale(const PackedLayout &layout, uint8_t *slab, int64_t index,
                uint32_t bits);

// Converts a packed weight to layout `to`: codes are permuted and scales
// copied, so it is exact and invertible. `out` has the size of `from` with
// layout `to` and does not overlap `in`.
void repack(const PackedLayout &from, const uint8_t *in, Layout to,
            uint8_t *out);

} // namespace nibble::numerics
