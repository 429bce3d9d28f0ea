// Where an element of a weight tile lies in the registers that a matrix
// instruction of an H200 reads it from, and therefore in a packed weight of
// layout `hopper`: the one place that knows it.
//
// wgmma m64nNk16 with A in registers (PTX ISA, "Register fragments for
// wgmma.mma_async.m64nNk16"): thread t of the 128 of a warpgroup holds in
// register p, half h (the lower 16 bits first), element
//     row  16 (t / 32) + (t mod 32) / 4 + 8 (p mod 2)        k  2 (t mod 4) + 8
//     (p / 2) + h
// A slab of the layout is 64 rows and 128 columns of k: 4096 bytes, two halves
// of 64 columns; in each half 16 bytes for each thread, four words, word j for
// step j of 16 columns. In a word the pair of register p takes bits 4p..4p+3 (h
// = 0) and 4p+16..4p+19 (h = 1), so that one shift and one mask give two codes
// 16 bits apart.
#pragma once

#include <cstdint>

namespace nibble::numerics {

inline constexpr int64_t kSlabRows = 64;
inline constexpr int64_t kSlabColumns = 128;
inline constexpr int64_t kSlabBytes = kSlabRows * kSlabColumns / 2;
inline constexpr int64_t kFragmentThreads = 128;

// An element of A, of the 64 x 16 of one instruction.
struct FragmentElement {
  int64_t row, k;
};
constexpr FragmentElement fragmentElement(int64_t thread, int64_t reg,
                                          int64_t half) {
  return {16 * (thread / 32) + thread % 32 / 4 + 8 * (reg % 2),
          2 * (thread % 4) + 8 * (reg / 2) + half};
}

// Its inverse.
struct FragmentPlace {
  int64_t thread, reg, half;
};
constexpr FragmentPlace fragmentPlace(int64_t row, int64_t k) {
  return {32 * (row / 16) + 4 * (row % 8) + k % 8 / 2,
          row % 16 / 8 + 2 * (k / 8), k % 2};
}

// Where the code of element (row, k) of a slab lies: a byte offset and a shift
// of 0 or 4 in that byte.
struct NibblePlace {
  int64_t byte, shift;
};
constexpr NibblePlace nibblePlace(int64_t row, int64_t k) {
  FragmentPlace place = fragmentPlace(row, k % 16);
  int64_t word =
      (k / 64) * (kFragmentThreads * 4) + place.thread * 4 + k / 16 % 4;
  int64_t bit = 4 * place.reg + 16 * place.half;
  return {word * 4 + bit / 8, bit % 8};
}

} // namespace nibble::numerics
