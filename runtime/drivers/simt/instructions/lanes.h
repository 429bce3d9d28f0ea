// Loops over the lanes of a warp, built from a function of one lane.
#pragma once

#include "runtime/drivers/simt/machine.h"
#include "runtime/drivers/simt/ptx/builder.h"

namespace nibble::simt {

// An instruction that changes no register and no memory.
inline Outcome noEffect(Warp &, const Inst &, Mask) { return Outcome::kNext; }

// The value of a lane in the register at `offset` of the warp's, `width` bytes
// wide (1, 2, 4 or 8), zero-extended.
inline uint64_t readLane(Warp &warp, uint32_t offset, uint32_t width,
                         uint32_t lane) {
  return width == 1   ? warp.reg<uint8_t>(offset)[lane]
         : width == 2 ? warp.reg<uint16_t>(offset)[lane]
         : width == 4 ? warp.reg<uint32_t>(offset)[lane]
                      : warp.reg<uint64_t>(offset)[lane];
}

// Writes the low `width` bytes (2, 4 or 8) of `value`.
inline void writeLane(Warp &warp, uint32_t offset, uint32_t width,
                      uint32_t lane, uint64_t value) {
  if (width == 2)
    warp.reg<uint16_t>(offset)[lane] = static_cast<uint16_t>(value);
  else if (width == 4)
    warp.reg<uint32_t>(offset)[lane] = static_cast<uint32_t>(value);
  else
    warp.reg<uint64_t>(offset)[lane] = value;
}

// One register may be both source and result. Lanes are therefore independent,
// but their arrays may be the same.
#define NIBBLE_SIMT_LANES                                                      \
  _Pragma("clang loop vectorize(assume_safety) interleave(enable)")

template <typename D, typename A, typename F>
Outcome unaryLanes(Warp &warp, const Inst &inst, Mask mask) {
  D *d = warp.reg<D>(inst.dst);
  const A *a = warp.reg<A>(inst.a);
  if (mask == kAllLanes) {
    NIBBLE_SIMT_LANES
    for (int i = 0; i < kLanes; ++i)
      d[i] = F{}(a[i]);
  } else {
    forLanes(mask, [&](uint32_t i) { d[i] = F{}(a[i]); });
  }
  return Outcome::kNext;
}

template <typename D, typename A, typename B, typename F>
Outcome binaryLanes(Warp &warp, const Inst &inst, Mask mask) {
  D *d = warp.reg<D>(inst.dst);
  const A *a = warp.reg<A>(inst.a);
  const B *b = warp.reg<B>(inst.b);
  if (mask == kAllLanes) {
    NIBBLE_SIMT_LANES
    for (int i = 0; i < kLanes; ++i)
      d[i] = F{}(a[i], b[i]);
  } else {
    forLanes(mask, [&](uint32_t i) { d[i] = F{}(a[i], b[i]); });
  }
  return Outcome::kNext;
}

template <typename D, typename A, typename B, typename C, typename F>
Outcome ternaryLanes(Warp &warp, const Inst &inst, Mask mask) {
  D *d = warp.reg<D>(inst.dst);
  const A *a = warp.reg<A>(inst.a);
  const B *b = warp.reg<B>(inst.b);
  const C *c = warp.reg<C>(inst.c);
  if (mask == kAllLanes) {
    NIBBLE_SIMT_LANES
    for (int i = 0; i < kLanes; ++i)
      d[i] = F{}(a[i], b[i], c[i]);
  } else {
    forLanes(mask, [&](uint32_t i) { d[i] = F{}(a[i], b[i], c[i]); });
  }
  return Outcome::kNext;
}

// These take lambdas without captures, so F{} is the lambda itself.
template <typename D, typename A, typename F> Handler unary(F) {
  return &unaryLanes<D, A, F>;
}
template <typename D, typename A, typename B, typename F> Handler binary(F) {
  return &binaryLanes<D, A, B, F>;
}
template <typename D, typename A, typename B, typename C, typename F>
Handler ternary(F) {
  return &ternaryLanes<D, A, B, C, F>;
}

// Puts operands 1, 2 and 3 into a, b and c. Operand 0 is the result.
inline void unaryOperands(Builder &b, uint32_t d, uint32_t a) {
  b.expectCount(2, 2);
  b.inst.dst = b.destination(b.operand(0), d);
  b.inst.a = b.source(b.operand(1), a);
}
inline void binaryOperands(Builder &b, uint32_t d, uint32_t x, uint32_t y) {
  b.expectCount(3, 3);
  b.inst.dst = b.destination(b.operand(0), d);
  b.inst.a = b.source(b.operand(1), x);
  b.inst.b = b.source(b.operand(2), y);
}
inline void ternaryOperands(Builder &b, uint32_t d, uint32_t x, uint32_t y,
                            uint32_t z) {
  b.expectCount(4, 4);
  b.inst.dst = b.destination(b.operand(0), d);
  b.inst.a = b.source(b.operand(1), x);
  b.inst.b = b.source(b.operand(2), y);
  b.inst.c = b.source(b.operand(3), z);
}

} // namespace nibble::simt
