// cvt (PTX ISA, "Data Movement and Conversion Instructions: cvt").
#include "lib/Numerics/fp8.h"
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/instructions/lanes.h"

#include <limits>

namespace nibble::simt {

namespace {

enum Rounding : uint32_t { kNearest, kZero, kDown, kUp };

// Inst::mode: bits 0-2 rounding, 3 saturate, 4 flush, 5 relu.
constexpr uint32_t kSaturate = 8;
constexpr uint32_t kFlushMode = 16;
constexpr uint32_t kRelu = 32;

double roundToInteger(double x, uint32_t rounding) {
  switch (rounding & 7) {
  case kZero:
    return std::trunc(x);
  case kDown:
    return std::floor(x);
  case kUp:
    return std::ceil(x);
  default:
    return std::nearbyint(x);
  }
}

// Clamps x to an integer of `bits` bits. NaN gives 0 for up to 32 bits and the
// smallest integer for 64 (ISA: "cvt").
uint64_t integerOf(double x, Type type) {
  if (x != x)
    return type.bits == 64 ? uint64_t{1} << 63 : 0;
  if (type.isSigned()) {
    double limit = std::ldexp(1.0, type.bits - 1);
    if (x >= limit)
      return static_cast<uint64_t>(std::numeric_limits<int64_t>::max() >>
                                   (64 - type.bits));
    if (x < -limit)
      return static_cast<uint64_t>(std::numeric_limits<int64_t>::min() >>
                                   (64 - type.bits));
    return static_cast<uint64_t>(static_cast<int64_t>(x));
  }
  if (x <= 0)
    return 0;
  if (x >= std::ldexp(1.0, type.bits))
    return ~uint64_t{0} >> (64 - type.bits);
  return static_cast<uint64_t>(x);
}

// Returns the neighbour of `rounded` (to nearest) that the rounding mode
// selects, given the exact value.
template <typename T> T directed(T rounded, double exact, uint32_t rounding) {
  double value = static_cast<double>(rounded);
  if (exact != exact || value == exact)
    return rounded;
  bool tooHigh = value > exact;
  uint32_t mode = rounding & 7;
  if (tooHigh && (mode == kDown || (mode == kZero && exact > 0)))
    return std::nextafter(rounded, -std::numeric_limits<T>::infinity());
  if (!tooHigh && (mode == kUp || (mode == kZero && exact < 0)))
    return std::nextafter(rounded, std::numeric_limits<T>::infinity());
  return rounded;
}

// Rounds to a 16-bit format toward zero: bf16 truncates the float32, f16 steps
// back from nearest.
uint16_t brainOf(double x, uint32_t mode) {
  float odd = toOdd(x);
  if (odd != odd)
    return 0x7fff;
  if ((mode & 7) == kZero)
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(odd) >> 16);
  return Brain::store(odd);
}
uint16_t halfOf(double x, uint32_t mode) {
  uint16_t bits = Half::store(toOdd(x));
  if ((mode & 7) == kZero && x == x &&
      std::abs(static_cast<double>(Half::load(bits))) > std::abs(x))
    --bits;
  return bits;
}

double clampUnit(double x) {
  return x != x ? 0.0 : x < 0 ? 0.0 : x > 1 ? 1.0 : x;
}

// A value of `type` in the low bits, as a double. This is exact for every type
// but 64-bit integers, which are converted elsewhere.
double load(uint64_t bits, Type type, uint32_t mode) {
  switch (type.kind) {
  case 'h':
    return Brain::load(static_cast<uint16_t>(bits));
  case 'f':
    if (type.bits == 16)
      return Half::load(static_cast<uint16_t>(bits));
    if (type.bits == 32) {
      float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
      return mode & kFlushMode ? flush(x) : x;
    }
    return std::bit_cast<double>(bits);
  default:
    return type.isSigned() ? static_cast<double>(static_cast<int64_t>(bits))
                           : static_cast<double>(bits);
  }
}

uint64_t storeFloat(double x, Type type, uint32_t mode) {
  if (mode & kSaturate)
    x = clampUnit(x);
  if ((mode & kRelu) && !(x > 0))
    x = 0;
  if (type.kind == 'h')
    return brainOf(x, mode);
  if (type.bits == 16)
    return halfOf(x, mode);
  if (type.bits == 64)
    return std::bit_cast<uint64_t>(x);
  float f = directed(static_cast<float>(x), x, mode);
  return std::bit_cast<uint32_t>(canonical(mode & kFlushMode ? flush(f) : f));
}

// Sign- or zero-extends the low `type.bits`.
uint64_t extend(uint64_t bits, Type type) {
  if (type.bits >= 64)
    return bits;
  uint32_t drop = 64u - type.bits;
  return type.isSigned()
             ? static_cast<uint64_t>(static_cast<int64_t>(bits << drop) >> drop)
             : bits << drop >> drop;
}

// Packs both types into Inst::c and Inst::d, so one instruction handles many
// conversions.
uint32_t encode(Type type) {
  return static_cast<uint32_t>(static_cast<uint8_t>(type.kind)) << 8 |
         type.bits;
}
Type decodeType(uint32_t code) {
  return {static_cast<char>(code >> 8), static_cast<uint8_t>(code & 0xff),
          false};
}

uint64_t convertOne(uint64_t bits, Type to, Type from, uint32_t mode) {
  if (from.isFloat()) {
    double x = load(bits, from, mode);
    if (!to.isFloat())
      return integerOf(roundToInteger(x, mode), to);
    if ((mode & 64) != 0) // .rni and similar between floats of one type
      x = roundToInteger(x, mode);
    return storeFloat(x, to, mode);
  }
  bits = extend(bits, from);
  if (!to.isFloat()) {
    if (mode & kSaturate) {
      bool negative = from.isSigned() && static_cast<int64_t>(bits) < 0;
      if (!to.isSigned())
        return negative ? 0 : std::min(bits, ~uint64_t{0} >> (64 - to.bits));
      int64_t high = std::numeric_limits<int64_t>::max() >> (64 - to.bits);
      int64_t low = -high - 1;
      if (!negative)
        return std::min(bits, static_cast<uint64_t>(high));
      return static_cast<uint64_t>(std::max(static_cast<int64_t>(bits), low));
    }
    return extend(bits, to);
  }
  if (from.bits == 64 && to.bits <= 32) {
    // Round to odd in 53 bits first, then to the format.
    bool negative = from.isSigned() && static_cast<int64_t>(bits) < 0;
    uint64_t magnitude = negative ? 0 - bits : bits;
    int shift = magnitude >> 53 == 0 ? 0 : 11;
    uint64_t top =
        magnitude >> shift |
        static_cast<uint64_t>((magnitude & ((uint64_t{1} << shift) - 1)) != 0);
    double x = std::ldexp(static_cast<double>(top), shift);
    return storeFloat(negative ? -x : x, to, mode);
  }
  if (from.bits == 64 && to.bits == 64) {
    double x = load(bits, from, mode);
    return std::bit_cast<uint64_t>(x);
  }
  return storeFloat(load(bits, from, mode), to, mode);
}

Outcome convertLanes(Warp &warp, const Inst &inst, Mask mask) {
  Type to = decodeType(inst.c);
  Type from = decodeType(inst.d);
  forLanes(mask, [&](uint32_t i) {
    uint64_t value =
        convertOne(readLane(warp, inst.a, inst.width, i), to, from, inst.mode);
    writeLane(warp, inst.dst, inst.lanesWidth, i,
              to.isFloat() ? value : extend(value, to));
  });
  return Outcome::kNext;
}

// d = {to(a), to(b)}, where a is the upper half.
Outcome convertPacked(Warp &warp, const Inst &inst, Mask mask) {
  Type to = decodeType(inst.c);
  forLanes(mask, [&](uint32_t i) {
    float hi = warp.reg<float>(inst.a)[i];
    float lo = warp.reg<float>(inst.b)[i];
    if (inst.mode & kFlushMode) {
      hi = flush(hi);
      lo = flush(lo);
    }
    warp.reg<uint32_t>(inst.dst)[i] =
        static_cast<uint32_t>(storeFloat(hi, to, inst.mode)) << 16 |
        static_cast<uint32_t>(storeFloat(lo, to, inst.mode));
  });
  return Outcome::kNext;
}

Outcome toE4M3(Warp &warp, const Inst &inst, Mask mask) {
  forLanes(mask, [&](uint32_t i) {
    warp.reg<uint16_t>(inst.dst)[i] = static_cast<uint16_t>(
        numerics::e4m3FromFloat(warp.reg<float>(inst.a)[i]) << 8 |
        numerics::e4m3FromFloat(warp.reg<float>(inst.b)[i]));
  });
  return Outcome::kNext;
}

Outcome fromE4M3(Warp &warp, const Inst &inst, Mask mask) {
  forLanes(mask, [&](uint32_t i) {
    uint16_t pair = warp.reg<uint16_t>(inst.a)[i];
    auto half = [](uint8_t bits) {
      return static_cast<uint32_t>(Half::store(numerics::floatFromE4M3(bits)));
    };
    warp.reg<uint32_t>(inst.dst)[i] = half(static_cast<uint8_t>(pair >> 8))
                                          << 16 |
                                      half(static_cast<uint8_t>(pair));
  });
  return Outcome::kNext;
}

void convert(Builder &b) {
  b.allow({"rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "ftz", "sat",
           "relu", "satfinite", "e4m3x2", "rna"});
  Inst &inst = b.inst;
  if (b.hasAny({"rz", "rzi"}))
    inst.mode = kZero;
  else if (b.hasAny({"rm", "rmi"}))
    inst.mode = kDown;
  else if (b.hasAny({"rp", "rpi"}))
    inst.mode = kUp;
  if (b.hasAny({"rni", "rzi", "rmi", "rpi"}))
    inst.mode |= 64;
  inst.mode |= (b.has("sat") ? kSaturate : 0) |
               (b.has("ftz") ? kFlushMode : 0) | (b.has("relu") ? kRelu : 0);
  if (b.has("rna"))
    return b.fail("the rounding .rna is not supported");
  if (b.has("e4m3x2")) {
    bool isResult = b.words.size() > 1 && b.types() == 1 && b.type().bits == 32;
    if (isResult) {
      binaryOperands(b, 2, 4, 4);
      inst.run = toE4M3;
    } else if (b.type().packed && b.type().kind == 'f') {
      unaryOperands(b, 4, 2);
      inst.run = fromE4M3;
    }
    return;
  }
  if (b.has("satfinite"))
    return b.fail("the modifier .satfinite is not supported");
  if (b.types() != 2)
    return b.fail("this pair of types is not supported");
  Type to = b.type(0);
  Type from = b.type(1);
  inst.c = encode(to);
  inst.d = encode(from);
  if (to.packed) {
    if (from.kind != 'f' || from.bits != 32)
      return b.fail("this pair of types is not supported");
    binaryOperands(b, 4, 4, 4);
    inst.run = convertPacked;
    return;
  }
  if (from.packed || from.kind == 'p' || to.kind == 'p')
    return b.fail("this pair of types is not supported");
  b.expectCount(2, 2);
  uint32_t width = 0;
  inst.a = b.sourceAny(b.operand(1), std::max(from.bytes(), 2u), width);
  inst.width = static_cast<uint8_t>(width);
  uint32_t to16 =
      std::max(b.widthOf(b.operand(0), std::max(to.bytes(), 2u)), 2u);
  inst.lanesWidth = static_cast<uint8_t>(to16);
  inst.dst = b.destination(b.operand(0), to16);
  if (width < from.bytes() || to16 < to.bytes())
    b.fail("a register is narrower than its type");
  inst.run = convertLanes;
  // Frequent conversions use loops that vectorize.
  bool plain = inst.mode == 0;
  if (plain && to.kind == 'f' && to.bits == 32 && from.kind == 'h' &&
      width == 2 && to16 == 4)
    inst.run = unary<float, uint16_t>(
        [](uint16_t x) { return canonical(floatFromBf16(x)); });
  else if (plain && !to.isFloat() && !from.isFloat() && to.bits == 64 &&
           from.bits == 32 && width == 4)
    inst.run =
        from.isSigned()
            ? unary<int64_t, int32_t>([](int32_t x) { return int64_t{x}; })
            : unary<uint64_t, uint32_t>([](uint32_t x) { return uint64_t{x}; });
  else if (plain && !to.isFloat() && !from.isFloat() && to.bits == 32 &&
           from.bits == 64 && to16 == 4)
    inst.run = unary<uint32_t, uint64_t>(
        [](uint64_t x) { return static_cast<uint32_t>(x); });
  else if (plain && to.kind == 'f' && to.bits == 32 && from.kind == 's' &&
           from.bits == 32 && width == 4)
    inst.run =
        unary<float, int32_t>([](int32_t x) { return static_cast<float>(x); });
}

} // namespace

Decoder findConvertDecoder(std::string_view head) {
  return head == "cvt" ? convert : nullptr;
}

} // namespace nibble::simt
