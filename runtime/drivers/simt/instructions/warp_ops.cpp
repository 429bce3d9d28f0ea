// Collective operations of a warp's lanes: shuffles, votes, matches,
// reductions, elections.
#include "runtime/drivers/simt/machine.h"
#include "runtime/drivers/simt/ptx/builder.h"

#include <algorithm>

namespace nibble::simt {

namespace {

// Whether all live lanes of the member mask are here. All of them must name the
// same mask.
bool membersAreHere(Warp &warp, uint32_t members, Mask mask) {
  return (members & warp.live & ~mask) == 0;
}

// An instruction's member mask is a register, and the lanes that are here must
// agree on it. Returns kNext to continue.
Outcome gather(Warp &warp, const Inst &inst, Mask mask, uint32_t maskRegister,
               uint32_t &members) {
  uint32_t first = static_cast<uint32_t>(__builtin_ctz(mask));
  members = warp.reg<uint32_t>(maskRegister)[first];
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint32_t own = warp.reg<uint32_t>(maskRegister)[i];
    if ((own >> i & 1) == 0)
      return fault(warp, inst, i,
                   "the member mask " + hex(own) +
                       " does not name the thread's own lane " +
                       std::to_string(i));
    // Lanes with another mask form another group. Two groups meet here only by
    // chance, and every mask must be complete.
    if (!membersAreHere(warp, own, mask))
      return Outcome::kPark;
  }
  return Outcome::kNext;
}

Outcome shuffle(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.d, members);
      outcome != Outcome::kNext)
    return outcome;
  const uint32_t *a = warp.reg<uint32_t>(inst.a);
  const uint32_t *b = warp.reg<uint32_t>(inst.b);
  const uint32_t *c = warp.reg<uint32_t>(inst.c);
  uint32_t result[kLanes] = {};
  Mask within = 0;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t lane = static_cast<uint32_t>(__builtin_ctz(rest));
    uint32_t bval = b[lane] & 31;
    uint32_t cval = c[lane] & 31;
    uint32_t segment = c[lane] >> 8 & 31;
    uint32_t maxLane = (lane & segment) | (cval & ~segment);
    uint32_t minLane = lane & segment;
    uint32_t j = 0;
    bool p = false;
    switch (inst.mode) {
    case 0: // up
      j = lane - bval;
      p = static_cast<int32_t>(j) >= static_cast<int32_t>(maxLane);
      break;
    case 1: // down
      j = lane + bval;
      p = j <= maxLane;
      break;
    case 2: // bfly
      j = lane ^ bval;
      p = j <= maxLane;
      break;
    default: // idx
      j = minLane | (bval & ~segment);
      p = j <= maxLane;
    }
    if (!p)
      j = lane;
    if ((mask >> j & 1) == 0)
      return fault(warp, inst, lane,
                   "reads the value of lane " + std::to_string(j) +
                       ", which does not take part");
    result[lane] = a[j];
    within |= static_cast<Mask>(p) << lane;
  }
  forLanes(mask,
           [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = result[i]; });
  if (inst.dst2 != kNone) {
    Mask &p = warp.predicate(inst.dst2);
    p = (p & ~mask) | within;
  }
  return Outcome::kNext;
}

void shfl(Builder &b) {
  b.allow({"sync", "up", "down", "bfly", "idx"});
  if (!b.has("sync"))
    return b.fail("only shfl.sync is supported");
  b.expectCount(5, 5);
  const Operand &to = b.operand(0);
  b.inst.dst =
      b.destination(to.kind == Operand::kPair ? to.elements[0] : to, 4);
  if (to.kind == Operand::kPair)
    b.inst.dst2 = b.predicateDestination(to.elements[1]);
  b.inst.a = b.source(b.operand(1), 4);
  b.inst.b = b.source(b.operand(2), 4);
  b.inst.c = b.source(b.operand(3), 4);
  b.inst.d = b.source(b.operand(4), 4);
  b.inst.mode = b.has("up") ? 0 : b.has("down") ? 1 : b.has("bfly") ? 2 : 3;
  b.inst.run = shuffle;
}

Outcome voteLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.b, members);
      outcome != Outcome::kNext)
    return outcome;
  Mask source = warp.predicate(inst.a);
  if (inst.c != 0)
    source = ~source;
  // Lanes with the same mask vote together. Usually there is one mask.
  Mask rest = mask;
  while (rest != 0) {
    uint32_t first = static_cast<uint32_t>(__builtin_ctz(rest));
    Mask group = warp.reg<uint32_t>(inst.b)[first] & mask;
    Mask ballot = source & group;
    if (inst.mode == 3) {
      forLanes(group,
               [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = ballot; });
    } else {
      bool result = inst.mode == 0   ? ballot == group
                    : inst.mode == 1 ? ballot != 0
                                     : ballot == 0 || ballot == group;
      Mask &d = warp.predicate(inst.dst);
      d = (d & ~group) | (result ? group : 0);
    }
    rest &= ~group;
  }
  return Outcome::kNext;
}

void vote(Builder &b) {
  b.allow({"sync", "all", "any", "uni", "ballot"});
  b.expectCount(3, 3);
  b.inst.mode = b.has("all") ? 0 : b.has("any") ? 1 : b.has("uni") ? 2 : 3;
  b.inst.dst = b.has("ballot") ? b.destination(b.operand(0), 4)
                               : b.predicateDestination(b.operand(0));
  b.inst.a = b.predicateSource(b.operand(1));
  b.inst.c = b.operand(1).negated;
  b.inst.b = b.source(b.operand(2), 4);
  if (b.has("sync"))
    b.inst.run = voteLanes;
}

template <typename T>
Outcome matchLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.b, members);
      outcome != Outcome::kNext)
    return outcome;
  const T *a = warp.reg<T>(inst.a);
  uint32_t result[kLanes] = {};
  Mask agree = 0;
  forLanes(mask, [&](uint32_t i) {
    Mask group = warp.reg<uint32_t>(inst.b)[i] & mask;
    forLanes(group, [&](uint32_t j) {
      result[i] |= static_cast<uint32_t>(a[i] == a[j]) << j;
    });
    if (inst.mode == 1) { // all
      bool all = result[i] == group;
      agree |= static_cast<Mask>(all) << i;
      result[i] = all ? group : 0;
    }
  });
  forLanes(mask,
           [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = result[i]; });
  if (inst.dst2 != kNone) {
    Mask &p = warp.predicate(inst.dst2);
    p = (p & ~mask) | agree;
  }
  return Outcome::kNext;
}

void match(Builder &b) {
  b.allow({"sync", "any", "all"});
  b.expectCount(3, 3);
  const Operand &to = b.operand(0);
  b.inst.dst =
      b.destination(to.kind == Operand::kPair ? to.elements[0] : to, 4);
  if (to.kind == Operand::kPair)
    b.inst.dst2 = b.predicateDestination(to.elements[1]);
  uint32_t bytes = b.type().bytes();
  b.inst.a = b.source(b.operand(1), bytes);
  b.inst.b = b.source(b.operand(2), 4);
  b.inst.mode = b.has("all");
  b.inst.run = bytes == 4 ? matchLanes<uint32_t> : matchLanes<uint64_t>;
}

Outcome reduceLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.b, members);
      outcome != Outcome::kNext)
    return outcome;
  uint32_t result[kLanes] = {};
  forLanes(mask, [&](uint32_t i) {
    Mask group = warp.reg<uint32_t>(inst.b)[i] & mask;
    bool first = true;
    forLanes(group, [&](uint32_t j) {
      uint32_t x = warp.reg<uint32_t>(inst.a)[j];
      uint32_t y = result[i];
      auto sx = static_cast<int32_t>(x);
      auto sy = static_cast<int32_t>(y);
      result[i] = first            ? x
                  : inst.mode == 0 ? x + y
                  : inst.mode == 1
                      ? (inst.isSigned ? static_cast<uint32_t>(std::min(sx, sy))
                                       : std::min(x, y))
                  : inst.mode == 2
                      ? (inst.isSigned ? static_cast<uint32_t>(std::max(sx, sy))
                                       : std::max(x, y))
                  : inst.mode == 3 ? x & y
                  : inst.mode == 4 ? x | y
                                   : x ^ y;
      first = false;
    });
  });
  forLanes(mask,
           [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = result[i]; });
  return Outcome::kNext;
}

void redux(Builder &b) {
  b.allow({"sync", "add", "min", "max", "and", "or", "xor"});
  b.expectCount(3, 3);
  if (b.type().isFloat())
    return b.fail("this type is not supported here");
  b.inst.dst = b.destination(b.operand(0), 4);
  b.inst.a = b.source(b.operand(1), 4);
  b.inst.b = b.source(b.operand(2), 4);
  b.inst.isSigned = b.type().isSigned();
  b.inst.mode = b.has("add")   ? 0
                : b.has("min") ? 1
                : b.has("max") ? 2
                : b.has("and") ? 3
                : b.has("or")  ? 4
                               : 5;
  b.inst.run = reduceLanes;
}

// Elects the lowest lane of the mask.
Outcome electLane(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.b, members);
      outcome != Outcome::kNext)
    return outcome;
  uint32_t leader = static_cast<uint32_t>(__builtin_ctz(members & mask));
  Mask &p = warp.predicate(inst.dst2);
  p = (p & ~mask) | Mask{1} << leader;
  forLanes(mask, [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = leader; });
  return Outcome::kNext;
}

void elect(Builder &b) {
  b.allow({"sync"});
  b.expectCount(2, 2);
  const Operand &to = b.operand(0);
  if (to.kind != Operand::kPair)
    return b.fail("the result is a pair");
  b.inst.dst = b.destination(to.elements[0], 4);
  b.inst.dst2 = b.predicateDestination(to.elements[1]);
  b.inst.b = b.source(b.operand(1), 4);
  b.inst.run = electLane;
}

void nanosleep(Builder &b) {
  b.inst.a = b.source(b.operand(0), 4);
  b.inst.run = [](Warp &, const Inst &, Mask) { return Outcome::kYield; };
}

void trap(Builder &b) {
  b.inst.run = [](Warp &warp, const Inst &inst, Mask mask) {
    return fault(warp, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                 "the kernel stopped itself");
  };
}

// This is the only instruction here that orders the lanes' memory accesses (PTX
// ISA, "bar.warp.sync").
Outcome warpBarrier(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t members = 0;
  if (Outcome outcome = gather(warp, inst, mask, inst.b, members);
      outcome != Outcome::kNext)
    return outcome;
  // Lanes with the same mask meet. Usually there is one mask.
  for (Mask rest = mask; rest != 0;) {
    Mask group = warp.reg<uint32_t>(inst.b)[__builtin_ctz(rest)] & mask;
    orderLanes(warp, group);
    rest &= ~group;
  }
  return Outcome::kNext;
}

} // namespace

// The decoder of bar calls this for bar.warp.sync.
void decodeWarpBarrier(Builder &b) {
  b.expectCount(1, 1);
  b.inst.b = b.source(b.operand(0), 4);
  b.inst.run = warpBarrier;
}

Decoder findWarpDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"shfl", shfl},           {"vote", vote},   {"match", match},
      {"redux", redux},         {"elect", elect}, {"trap", trap},
      {"nanosleep", nanosleep}, {"brkpt", trap},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
