// Moves, comparisons and selections, and conversions of addresses.
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/instructions/lanes.h"

#include <chrono>

namespace nibble::simt {

namespace {

// --- mov ---

Outcome movePredicate(Warp &warp, const Inst &inst, Mask mask) {
  Mask &d = warp.predicate(inst.dst);
  d = (d & ~mask) | (warp.predicate(inst.a) & mask);
  return Outcome::kNext;
}

// Packs {a, b, ...} into one register; the first element is the lowest.
Outcome packLanes(Warp &warp, const Inst &inst, Mask mask) {
  const uint32_t *parts = &warp.cluster->launch->code->lists[inst.list];
  forLanes(mask, [&](uint32_t i) {
    uint64_t value = 0;
    for (uint32_t j = 0; j < inst.listSize; ++j)
      value |= readLane(warp, parts[j], inst.width, i) << (8 * inst.width * j);
    writeLane(warp, inst.dst, inst.lanesWidth, i, value);
  });
  return Outcome::kNext;
}

Outcome unpackLanes(Warp &warp, const Inst &inst, Mask mask) {
  const uint32_t *parts = &warp.cluster->launch->code->lists[inst.list];
  forLanes(mask, [&](uint32_t i) {
    uint64_t value = readLane(warp, inst.a, inst.lanesWidth, i);
    for (uint32_t j = 0; j < inst.listSize; ++j)
      writeLane(warp, parts[j], inst.width, i, value >> (8 * inst.width * j));
  });
  return Outcome::kNext;
}

Outcome clockLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint64_t now =
      inst.mode == 0
          ? warp.stepCount
          : static_cast<uint64_t>(
                std::chrono::steady_clock::now().time_since_epoch().count());
  warp.isUnrepeatable = true;
  forLanes(mask, [&](uint32_t i) {
    writeLane(warp, inst.dst, inst.lanesWidth, i, now);
  });
  return Outcome::kNext;
}

Outcome activeMask(Warp &warp, const Inst &inst, Mask mask) {
  // Which lanes run together depends on the order of their turns.
  warp.isUnrepeatable = true;
  forLanes(mask, [&](uint32_t i) { warp.reg<uint32_t>(inst.dst)[i] = mask; });
  return Outcome::kNext;
}

void setCopy(Builder &b, uint32_t bytes) {
  if (bytes == 2)
    b.inst.run = unary<uint16_t, uint16_t>([](uint16_t x) { return x; });
  else if (bytes == 4)
    b.inst.run = unary<uint32_t, uint32_t>([](uint32_t x) { return x; });
  else if (bytes == 8)
    b.inst.run = unary<uint64_t, uint64_t>([](uint64_t x) { return x; });
}

void mov(Builder &b) {
  b.allow({});
  b.expectCount(2, 2);
  Type type = b.type();
  uint32_t bytes = type.bytes();
  const Operand &to = b.operand(0);
  const Operand &from = b.operand(1);
  if (type.kind == 'p') {
    b.inst.dst = b.predicateDestination(to);
    b.inst.a = b.predicateSource(from);
    b.inst.run = movePredicate;
    return;
  }
  const Operand &vector = to.kind == Operand::kVector ? to : from;
  if (vector.kind == Operand::kVector) {
    size_t n = vector.elements.size();
    if ((n != 2 && n != 4) || bytes / n == 0)
      return b.fail("the vector does not fit the type");
    uint32_t part = bytes / static_cast<uint32_t>(n);
    if (part < 2)
      return b.fail("vectors of bytes are not supported");
    b.inst.width = static_cast<uint8_t>(part);
    b.inst.lanesWidth = static_cast<uint8_t>(bytes);
    b.setList(b.vectorOf(vector, part, &vector == &to));
    if (&vector == &to) {
      b.inst.a = b.source(from, bytes);
      b.inst.run = unpackLanes;
    } else {
      b.inst.dst = b.destination(to, bytes);
      b.inst.run = packLanes;
    }
    return;
  }
  b.inst.dst = b.destination(to, bytes);
  if (from.kind == Operand::kSpecial &&
      (from.name.starts_with("%clock") ||
       from.name.starts_with("%globaltimer"))) {
    b.inst.lanesWidth = static_cast<uint8_t>(bytes);
    b.inst.mode = from.name.starts_with("%globaltimer");
    b.inst.run = clockLanes;
    return;
  }
  b.inst.a = b.source(from, bytes);
  setCopy(b, bytes);
}

void active(Builder &b) {
  b.inst.dst = b.destination(b.operand(0), 4);
  b.inst.run = activeMask;
}

// --- setp, set, selp, slct ---

enum Compare : uint32_t { kEq, kNe, kLt, kLe, kGt, kGe, kNum, kNan };

template <typename T> inline bool compare(T a, T b, uint32_t how) {
  switch (how) {
  case kEq:
    return a == b;
  case kNe:
    return a != b;
  case kLt:
    return a < b;
  case kLe:
    return a <= b;
  case kGt:
    return a > b;
  case kGe:
    return a >= b;
  case kNum:
    return a == a && b == b;
  default:
    return a != a || b != b;
  }
}

// Inst::mode: bits 0-2 hold Compare, 3 unordered floats compare true, 4 flush,
// 5-6 combination, 7 negated c, 8 bf16 (else f16).
constexpr uint32_t kUnordered = 8;
constexpr uint32_t kFlushOperands = 16;

template <typename T, uint32_t kHow> Mask compareAll(const T *a, const T *b) {
  Mask result = 0;
  for (int i = 0; i < kLanes; ++i)
    result |= static_cast<Mask>(compare(a[i], b[i], kHow)) << i;
  return result;
}

template <typename T> Mask compareLanes(const T *a, const T *b, uint32_t how) {
  switch (how) {
  case kEq:
    return compareAll<T, kEq>(a, b);
  case kNe:
    return compareAll<T, kNe>(a, b);
  case kLt:
    return compareAll<T, kLt>(a, b);
  case kLe:
    return compareAll<T, kLe>(a, b);
  case kGt:
    return compareAll<T, kGt>(a, b);
  case kGe:
    return compareAll<T, kGe>(a, b);
  case kNum:
    return compareAll<T, kNum>(a, b);
  default:
    return compareAll<T, kNan>(a, b);
  }
}

// With a NaN, unordered comparisons are true and ordered ones are false. num
// and nan have handled NaN themselves.
inline Mask ordered(Mask result, Mask nan, uint32_t mode) {
  if ((mode & 7) >= kNum)
    return result;
  return mode & kUnordered ? result | nan : result & ~nan;
}

struct ShortFloat {}; // f16 or bf16, according to the mode

template <typename T> Mask comparison(Warp &warp, const Inst &inst) {
  uint32_t how = inst.mode & 7;
  if constexpr (std::is_same_v<T, ShortFloat> || std::is_same_v<T, float>) {
    float a[kLanes], b[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      if constexpr (std::is_same_v<T, float>) {
        a[i] = warp.reg<float>(inst.a)[i];
        b[i] = warp.reg<float>(inst.b)[i];
        if (inst.mode & kFlushOperands) {
          a[i] = flush(a[i]);
          b[i] = flush(b[i]);
        }
      } else {
        uint16_t x = warp.reg<uint16_t>(inst.a)[i];
        uint16_t y = warp.reg<uint16_t>(inst.b)[i];
        bool brain = (inst.mode & 256) != 0;
        a[i] = brain ? floatFromBf16(x) : floatFromHalf(x);
        b[i] = brain ? floatFromBf16(y) : floatFromHalf(y);
      }
    }
    Mask result = compareLanes(a, b, how);
    return ordered(result, compareAll<float, kNan>(a, b), inst.mode);
  } else {
    const T *a = warp.reg<T>(inst.a);
    const T *b = warp.reg<T>(inst.b);
    Mask result = compareLanes(a, b, how);
    if constexpr (std::is_floating_point_v<T>)
      result = ordered(result, compareAll<T, kNan>(a, b), inst.mode);
    return result;
  }
}

inline Mask combine(Mask x, Mask c, uint32_t mode) {
  if (mode & 128)
    c = ~c;
  switch (mode >> 5 & 3) {
  case 1:
    return x & c;
  case 2:
    return x | c;
  case 3:
    return x ^ c;
  default:
    return x;
  }
}

template <typename T>
Outcome setPredicate(Warp &warp, const Inst &inst, Mask mask) {
  Mask result = comparison<T>(warp, inst);
  Mask c = inst.c == kNone ? 0 : warp.predicate(inst.c);
  Mask first = combine(result, c, inst.mode);
  Mask second = combine(~result, c, inst.mode);
  Mask &p = warp.predicate(inst.dst);
  p = (p & ~mask) | (first & mask);
  if (inst.dst2 != kNone) {
    Mask &q = warp.predicate(inst.dst2);
    q = (q & ~mask) | (second & mask);
  }
  return Outcome::kNext;
}

template <typename T>
Outcome setValue(Warp &warp, const Inst &inst, Mask mask) {
  Mask c = inst.c == kNone ? 0 : warp.predicate(inst.c);
  Mask result = combine(comparison<T>(warp, inst), c, inst.mode);
  // isSigned means that the result is f32.
  uint32_t one = inst.isSigned ? 0x3f800000u : ~0u;
  forLanes(mask, [&](uint32_t i) {
    warp.reg<uint32_t>(inst.dst)[i] = result >> i & 1 ? one : 0;
  });
  return Outcome::kNext;
}

void comparisonDecoder(Builder &b) {
  bool isSet = b.head == "set";
  b.allow({"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "lo",  "ls",
           "hi",  "hs",  "equ", "neu", "ltu", "leu", "gtu", "geu",
           "num", "nan", "and", "or",  "xor", "ftz"});
  b.expectCount(3, 4);
  Type type = b.type(isSet ? 1 : 0);
  static const std::map<std::string_view, uint32_t> names = {
      {"eq", kEq},
      {"ne", kNe},
      {"lt", kLt},
      {"le", kLe},
      {"gt", kGt},
      {"ge", kGe},
      {"lo", kLt},
      {"ls", kLe},
      {"hi", kGt},
      {"hs", kGe},
      {"num", kNum},
      {"nan", kNan},
      {"equ", kEq | kUnordered},
      {"neu", kNe | kUnordered},
      {"ltu", kLt | kUnordered},
      {"leu", kLe | kUnordered},
      {"gtu", kGt | kUnordered},
      {"geu", kGe | kUnordered}};
  bool known = false;
  for (std::string_view word : b.words)
    if (auto found = names.find(word); found != names.end()) {
      b.inst.mode = found->second;
      known = true;
    }
  if (!known)
    return b.fail("it names no comparison");
  b.inst.mode |= b.has("ftz") ? kFlushOperands : 0;
  b.inst.mode |= b.has("and") ? 32 : b.has("or") ? 64 : b.has("xor") ? 96 : 0;
  uint32_t bytes = type.bytes();
  b.inst.a = b.source(b.operand(1), bytes);
  b.inst.b = b.source(b.operand(2), bytes);
  if (b.count() == 4) {
    b.inst.c = b.predicateSource(b.operand(3));
    b.inst.mode |= b.operand(3).negated ? 128 : 0;
  }
  if (isSet) {
    b.inst.dst = b.destination(b.operand(0), 4);
    b.inst.isSigned = b.type(0).isFloat();
  } else if (b.operand(0).kind == Operand::kPair) {
    b.inst.dst = b.predicateDestination(b.operand(0).elements[0]);
    b.inst.dst2 = b.predicateDestination(b.operand(0).elements[1]);
  } else {
    b.inst.dst = b.predicateDestination(b.operand(0));
  }
  if (type.packed)
    return b.fail("this type is not supported here");
  if (type.kind == 'h')
    b.inst.mode |= 256;
  auto choose = [&](auto t) {
    using T = decltype(t);
    b.inst.run = isSet ? setValue<T> : setPredicate<T>;
  };
  if (type.isFloat())
    type.bits == 16   ? choose(ShortFloat{})
    : type.bits == 32 ? choose(float{})
                      : choose(double{});
  else if (type.bits == 16)
    type.isSigned() ? choose(int16_t{}) : choose(uint16_t{});
  else if (type.bits == 32)
    type.isSigned() ? choose(int32_t{}) : choose(uint32_t{});
  else if (type.bits == 64)
    type.isSigned() ? choose(int64_t{}) : choose(uint64_t{});
}

template <typename T>
Outcome selectLanes(Warp &warp, const Inst &inst, Mask mask) {
  Mask p = warp.predicate(inst.c);
  if (inst.mode)
    p = ~p;
  const T *a = warp.reg<T>(inst.a);
  const T *b = warp.reg<T>(inst.b);
  T *d = warp.reg<T>(inst.dst);
  if (mask == kAllLanes) {
    NIBBLE_SIMT_LANES
    for (int i = 0; i < kLanes; ++i)
      d[i] = p >> i & 1 ? a[i] : b[i];
  } else {
    forLanes(mask, [&](uint32_t i) { d[i] = p >> i & 1 ? a[i] : b[i]; });
  }
  return Outcome::kNext;
}

void selp(Builder &b) {
  b.allow({});
  b.expectCount(4, 4);
  uint32_t bytes = b.type().bytes();
  b.inst.dst = b.destination(b.operand(0), bytes);
  b.inst.a = b.source(b.operand(1), bytes);
  b.inst.b = b.source(b.operand(2), bytes);
  b.inst.c = b.predicateSource(b.operand(3));
  b.inst.mode = b.operand(3).negated;
  b.inst.run = bytes == 2   ? selectLanes<uint16_t>
               : bytes == 4 ? selectLanes<uint32_t>
                            : selectLanes<uint64_t>;
}

void slct(Builder &b) {
  b.allow({"ftz"});
  uint32_t bytes = b.type().bytes();
  ternaryOperands(b, bytes, bytes, bytes, 4);
  bool isFloat = b.type(1).isFloat();
  if (bytes == 4)
    b.inst.run = isFloat ? ternary<uint32_t, uint32_t, uint32_t, float>(
                               [](uint32_t x, uint32_t y, float c) {
                                 return c >= 0 ? x : y;
                               })
                         : ternary<uint32_t, uint32_t, uint32_t, int32_t>(
                               [](uint32_t x, uint32_t y, int32_t c) {
                                 return c >= 0 ? x : y;
                               });
  else if (bytes == 8)
    b.inst.run = isFloat ? ternary<uint64_t, uint64_t, uint64_t, float>(
                               [](uint64_t x, uint64_t y, float c) {
                                 return c >= 0 ? x : y;
                               })
                         : ternary<uint64_t, uint64_t, uint64_t, int32_t>(
                               [](uint64_t x, uint64_t y, int32_t c) {
                                 return c >= 0 ? x : y;
                               });
}

// --- addresses ---

void cvta(Builder &b) {
  b.allow({"to", "global", "shared", "shared::cta", "shared::cluster", "local",
           "const", "param", "param::entry"});
  uint32_t bytes = b.type().bytes();
  if (bytes != 8)
    return b.fail("addresses have 64 bits here");
  unaryOperands(b, 8, 8);
  using U = uint64_t;
  bool to = b.has("to");
  if (b.hasAny({"shared", "shared::cta", "shared::cluster"}))
    b.inst.run =
        to ? unary<U, U>([](U x) { return x & 0xffffffffu; })
           : unary<U, U>([](U x) { return (x & 0xffffffffu) | kSharedWindow; });
  else if (b.has("local"))
    b.inst.run =
        to ? unary<U, U>([](U x) { return x & ((U{1} << kWindowBits) - 1); })
           : unary<U, U>([](U x) { return x | kLocalWindow; });
  else
    b.inst.run = unary<U, U>([](U x) { return x; });
}

Outcome inSpace(Warp &warp, const Inst &inst, Mask mask) {
  Mask result = 0;
  forLanes(mask, [&](uint32_t i) {
    uint64_t address = warp.reg<uint64_t>(inst.a)[i];
    uint64_t window = address >> kWindowBits;
    uint32_t rank = static_cast<uint32_t>(address >> 24 & 0xff);
    bool isShared = window == kSharedWindow >> kWindowBits;
    bool holds =
        inst.space == Space::kShared
            ? isShared && (rank == 0 || rank == warp.block->rank + 1)
        : inst.space == Space::kSharedCluster ? isShared
        : inst.space == Space::kLocal ? window == kLocalWindow >> kWindowBits
        : inst.space == Space::kParam ? window == kParamWindow >> kWindowBits
                                      : window == 0;
    result |= static_cast<Mask>(holds) << i;
  });
  Mask &d = warp.predicate(inst.dst);
  d = (d & ~mask) | result;
  return Outcome::kNext;
}

void isspacep(Builder &b) {
  b.allow({"global", "shared", "shared::cta", "shared::cluster", "local",
           "param", "param::entry"});
  b.inst.dst = b.predicateDestination(b.operand(0));
  b.inst.a = b.source(b.operand(1), 8);
  b.inst.space = b.hasAny({"shared", "shared::cta"})   ? Space::kShared
                 : b.has("shared::cluster")            ? Space::kSharedCluster
                 : b.has("local")                      ? Space::kLocal
                 : b.hasAny({"param", "param::entry"}) ? Space::kParam
                                                       : Space::kGlobal;
  b.inst.run = inSpace;
}

// The same offset in the block of rank b.
template <typename T>
Outcome mapAddress(Warp &warp, const Inst &inst, Mask mask) {
  Outcome outcome = Outcome::kNext;
  forLanes(mask, [&](uint32_t i) {
    uint32_t rank = warp.reg<uint32_t>(inst.b)[i];
    if (rank >= warp.cluster->blocks.size() && outcome != Outcome::kFault)
      outcome =
          fault(warp, inst, i,
                "rank " + std::to_string(rank) + " is not in the cluster of " +
                    std::to_string(warp.cluster->blocks.size()) + " blocks");
    T address = warp.reg<T>(inst.a)[i];
    warp.reg<T>(inst.dst)[i] =
        (address & ~T{0xff000000u}) | (static_cast<T>(rank + 1) << 24);
  });
  return outcome;
}

void mapa(Builder &b) {
  b.allow({"shared::cluster"});
  uint32_t bytes = b.type().bytes();
  binaryOperands(b, bytes, bytes, 4);
  b.inst.run = bytes == 4 ? mapAddress<uint32_t> : mapAddress<uint64_t>;
}

template <typename T> Outcome rankOf(Warp &warp, const Inst &inst, Mask mask) {
  forLanes(mask, [&](uint32_t i) {
    uint32_t rank = static_cast<uint32_t>(warp.reg<T>(inst.a)[i] >> 24 & 0xff);
    warp.reg<uint32_t>(inst.dst)[i] = rank == 0 ? warp.block->rank : rank - 1;
  });
  return Outcome::kNext;
}

void getctarank(Builder &b) {
  b.allow({"shared::cluster"});
  uint32_t bytes = b.widthOf(b.operand(1), 4);
  unaryOperands(b, 4, bytes);
  b.inst.run = bytes == 4 ? rankOf<uint32_t> : rankOf<uint64_t>;
}

} // namespace

Decoder findMoveDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"mov", mov},
      {"setp", comparisonDecoder},
      {"set", comparisonDecoder},
      {"selp", selp},
      {"slct", slct},
      {"cvta", cvta},
      {"isspacep", isspacep},
      {"mapa", mapa},
      {"getctarank", getctarank},
      {"activemask", active},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
