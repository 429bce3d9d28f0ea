// The layout `hopper` of a packed weight follows the register fragments of
// wgmma. This file is the one place that knows where an element of a weight
// tile lies.
//
// wgmma m64nNk16 takes A from registers (PTX ISA, "Register fragments for
// wgmma.mma_async.m64nNk16"). Thread t of the 128 threads of a warpgroup holds,
// in half h of register p (the lower 16 bits are half 0), the element at
//
//     row  16 (t / 32) + (t mod 32) / 4 + 8 (p mod 2)
//     k    2 (t mod 4) + 8 (p / 2) + h
//
// A slab of the layout holds 64 rows and 128 columns along k in 4096 bytes. It
// consists of two halves of 64 columns. A half has 16 bytes for each thread:
// four words, where word j belongs to step j of 16 columns. The two codes of
// register p lie in bits 4p..4p+3 (h = 0) and 4p+16..4p+19 (h = 1) of the word.
// One shift and one mask therefore give two codes that are 16 bits apart.
#pragma once

#include <cstdint>

namespace nibble::numerics {

inline constexpr int64_t kSlabRows = 64;
inline constexpr int64_t kSlabColumns = 128;
inline constexpr int64_t kSlabBytes = kSlabRows * kSlabColumns / 2;
inline constexpr int64_t kFragmentThreads = 128;

// An element of the 64 x 16 tile of A that one instruction reads.
struct FragmentElement {
  int64_t row, k;
};
constexpr FragmentElement fragmentElement(int64_t thread, int64_t reg,
                                          int64_t half) {
  return {16 * (thread / 32) + thread % 32 / 4 + 8 * (reg % 2),
          2 * (thread % 4) + 8 * (reg / 2) + half};
}

// The inverse of fragmentElement.
struct FragmentPlace {
  int64_t thread, reg, half;
};
constexpr FragmentPlace fragmentPlace(int64_t row, int64_t k) {
  return {32 * (row / 16) + 4 * (row % 8) + k % 8 / 2,
          row % 16 / 8 + 2 * (k / 8), k % 2};
}

// Where a slab stores the code of element (row, k): a byte offset, and a shift
// of 0 or 4 within that byte.
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
