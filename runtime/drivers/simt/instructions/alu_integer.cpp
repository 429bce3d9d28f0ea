// Integer arithmetic and logic (PTX ISA, "Integer Arithmetic Instructions",
// "Logic and Shift Instructions").
#include "runtime/drivers/simt/instructions/lanes.h"

#include <bit>
#include <limits>
#include <type_traits>

namespace nibble::simt {

namespace {

// Arithmetic wraps: it is done in the unsigned type of the same size, 16 bits
// in 32.
template <typename T>
using Wrap = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T> constexpr unsigned kBits = sizeof(T) * 8;

// f(type) with a value of the C++ type that `type` names.
template <typename F> void withInteger(Builder &b, Type type, F f) {
  if (type.packed || type.isFloat() || type.kind == 'p' || type.kind == 0)
    return b.fail("this type is not supported here");
  bool isSigned = type.isSigned();
  switch (type.bits) {
  case 16:
    return isSigned ? f(int16_t{}) : f(uint16_t{});
  case 32:
    return isSigned ? f(int32_t{}) : f(uint32_t{});
  case 64:
    return isSigned ? f(int64_t{}) : f(uint64_t{});
  default:
    return b.fail("this type is not supported here");
  }
}

template <typename T> T mulHigh(T a, T b) {
  if constexpr (sizeof(T) == 8) {
    using Wide =
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b) >> 64);
  } else {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return static_cast<T>(static_cast<Wide>(a) * static_cast<Wide>(b) >>
                          kBits<T>);
  }
}

template <typename T> T saturatingAdd(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum))
    return a < 0 ? std::numeric_limits<T>::min()
                 : std::numeric_limits<T>::max();
  return sum;
}
template <typename T> T saturatingSub(T a, T b) {
  T difference;
  if (__builtin_sub_overflow(a, b, &difference))
    return a < 0 ? std::numeric_limits<T>::min()
                 : std::numeric_limits<T>::max();
  return difference;
}

void add(Builder &b) {
  b.allow({"sat", "cc"});
  if (b.has("cc"))
    return b.fail("carries are not supported");
  bool saturate = b.has("sat");
  if (b.type().packed && b.head == "add" && !saturate) {
    binaryOperands(b, 4, 4, 4);
    b.inst.run =
        binary<uint32_t, uint32_t, uint32_t>([](uint32_t x, uint32_t y) {
          return ((x & 0xffff0000u) + (y & 0xffff0000u)) | ((x + y) & 0xffffu);
        });
    return;
  }
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
    bool isSub = b.head == "sub";
    if (saturate)
      b.inst.run =
          isSub ? binary<T, T, T>([](T x, T y) { return saturatingSub(x, y); })
                : binary<T, T, T>([](T x, T y) { return saturatingAdd(x, y); });
    else
      b.inst.run = isSub ? binary<T, T, T>([](T x, T y) {
        return static_cast<T>(Wrap<T>(x) - Wrap<T>(y));
      })
                         : binary<T, T, T>([](T x, T y) {
                             return static_cast<T>(Wrap<T>(x) + Wrap<T>(y));
                           });
  });
}

void mul(Builder &b) {
  b.allow({"lo", "hi", "wide"});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    if (b.has("wide")) {
      if constexpr (sizeof(T) < 8) {
        using Wide = std::conditional_t<
            std::is_signed_v<T>,
            std::conditional_t<sizeof(T) == 2, int32_t, int64_t>,
            std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t>>;
        binaryOperands(b, sizeof(Wide), sizeof(T), sizeof(T));
        b.inst.run = binary<Wide, T, T>([](T x, T y) {
          return static_cast<Wide>(static_cast<Wrap<Wide>>(x) *
                                   static_cast<Wrap<Wide>>(y));
        });
      }
      return;
    }
    binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
    if (b.has("hi"))
      b.inst.run = binary<T, T, T>([](T x, T y) { return mulHigh(x, y); });
    else if (b.has("lo"))
      b.inst.run = binary<T, T, T>(
          [](T x, T y) { return static_cast<T>(Wrap<T>(x) * Wrap<T>(y)); });
  });
}

void mad(Builder &b) {
  b.allow({"lo", "hi", "wide"});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    if (b.has("wide")) {
      if constexpr (sizeof(T) < 8) {
        using Wide = std::conditional_t<
            std::is_signed_v<T>,
            std::conditional_t<sizeof(T) == 2, int32_t, int64_t>,
            std::conditional_t<sizeof(T) == 2, uint32_t, uint64_t>>;
        ternaryOperands(b, sizeof(Wide), sizeof(T), sizeof(T), sizeof(Wide));
        b.inst.run = ternary<Wide, T, T, Wide>([](T x, T y, Wide z) {
          using U = Wrap<Wide>;
          return static_cast<Wide>(static_cast<U>(x) * static_cast<U>(y) +
                                   static_cast<U>(z));
        });
      }
      return;
    }
    ternaryOperands(b, sizeof(T), sizeof(T), sizeof(T), sizeof(T));
    if (b.has("hi"))
      b.inst.run = ternary<T, T, T, T>([](T x, T y, T z) {
        return static_cast<T>(Wrap<T>(mulHigh(x, y)) + Wrap<T>(z));
      });
    else if (b.has("lo"))
      b.inst.run = ternary<T, T, T, T>([](T x, T y, T z) {
        return static_cast<T>(Wrap<T>(x) * Wrap<T>(y) + Wrap<T>(z));
      });
  });
}

// Division by zero gives a value that the ISA leaves open; all ones is what the
// device gives for unsigned ones.
template <typename T> T quotient(T a, T b) {
  if (b == 0)
    return static_cast<T>(~T{0});
  if (std::is_signed_v<T> && b == static_cast<T>(-1))
    return static_cast<T>(0 - Wrap<T>(a));
  return static_cast<T>(a / b);
}
template <typename T> T remainder(T a, T b) {
  if (b == 0)
    return a;
  if (std::is_signed_v<T> && b == static_cast<T>(-1))
    return 0;
  return static_cast<T>(a % b);
}

void divide(Builder &b) {
  b.allow({});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
    b.inst.run = b.head == "rem"
                     ? binary<T, T, T>([](T x, T y) { return remainder(x, y); })
                     : binary<T, T, T>([](T x, T y) { return quotient(x, y); });
  });
}

template <typename T> void packedMinMax(Builder &b) {
  auto min = [](uint32_t x, uint32_t y) {
    T lo = std::min(static_cast<T>(x), static_cast<T>(y));
    T hi = std::min(static_cast<T>(x >> 16), static_cast<T>(y >> 16));
    return static_cast<uint32_t>(static_cast<uint16_t>(lo)) |
           static_cast<uint32_t>(static_cast<uint16_t>(hi)) << 16;
  };
  auto max = [](uint32_t x, uint32_t y) {
    T lo = std::max(static_cast<T>(x), static_cast<T>(y));
    T hi = std::max(static_cast<T>(x >> 16), static_cast<T>(y >> 16));
    return static_cast<uint32_t>(static_cast<uint16_t>(lo)) |
           static_cast<uint32_t>(static_cast<uint16_t>(hi)) << 16;
  };
  binaryOperands(b, 4, 4, 4);
  b.inst.run = b.head == "min" ? binary<uint32_t, uint32_t, uint32_t>(min)
                               : binary<uint32_t, uint32_t, uint32_t>(max);
}

void minMax(Builder &b) {
  b.allow({"u16x2", "s16x2"});
  if (b.has("u16x2") || b.has("s16x2"))
    return b.has("s16x2") ? packedMinMax<int16_t>(b)
                          : packedMinMax<uint16_t>(b);
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
    b.inst.run = b.head == "min"
                     ? binary<T, T, T>([](T x, T y) { return x < y ? x : y; })
                     : binary<T, T, T>([](T x, T y) { return x < y ? y : x; });
  });
}

void negate(Builder &b) {
  b.allow({});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    unaryOperands(b, sizeof(T), sizeof(T));
    b.inst.run =
        b.head == "neg"
            ? unary<T, T>([](T x) { return static_cast<T>(0 - Wrap<T>(x)); })
            : unary<T, T>([](T x) {
                return x < 0 ? static_cast<T>(0 - Wrap<T>(x)) : x;
              });
  });
}

// The sum of absolute differences.
void sad(Builder &b) {
  b.allow({});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    ternaryOperands(b, sizeof(T), sizeof(T), sizeof(T), sizeof(T));
    b.inst.run = ternary<T, T, T, T>([](T x, T y, T z) {
      return static_cast<T>(Wrap<T>(z) + (x < y ? Wrap<T>(y) - Wrap<T>(x)
                                                : Wrap<T>(x) - Wrap<T>(y)));
    });
  });
}

void predicateLogic(Builder &b) {
  bool isNot = b.head == "not";
  b.expectCount(isNot ? 2 : 3, isNot ? 2 : 3);
  b.inst.dst = b.predicateDestination(b.operand(0));
  b.inst.a = b.predicateSource(b.operand(1));
  b.inst.b = isNot ? b.inst.a : b.predicateSource(b.operand(2));
  auto make = [](auto f) {
    using F = decltype(f);
    return static_cast<Handler>([](Warp &warp, const Inst &inst, Mask mask) {
      Mask value = F{}(warp.predicate(inst.a), warp.predicate(inst.b));
      Mask &d = warp.predicate(inst.dst);
      d = (d & ~mask) | (value & mask);
      return Outcome::kNext;
    });
  };
  b.inst.run = b.head == "and"   ? make([](Mask x, Mask y) { return x & y; })
               : b.head == "or"  ? make([](Mask x, Mask y) { return x | y; })
               : b.head == "xor" ? make([](Mask x, Mask y) { return x ^ y; })
                                 : make([](Mask x, Mask) { return ~x; });
}

void logic(Builder &b) {
  b.allow({});
  if (b.type().kind == 'p')
    return predicateLogic(b);
  withInteger(b, {'b', b.type().bits, false}, [&](auto t) {
    using T = decltype(t);
    if (b.head == "not" || b.head == "cnot") {
      unaryOperands(b, sizeof(T), sizeof(T));
      b.inst.run =
          b.head == "not"
              ? unary<T, T>([](T x) { return static_cast<T>(~x); })
              : unary<T, T>([](T x) { return static_cast<T>(x == 0); });
      return;
    }
    binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
    b.inst.run =
        b.head == "and"
            ? binary<T, T, T>([](T x, T y) { return static_cast<T>(x & y); })
        : b.head == "or"
            ? binary<T, T, T>([](T x, T y) { return static_cast<T>(x | y); })
            : binary<T, T, T>([](T x, T y) { return static_cast<T>(x ^ y); });
  });
}

// Shifts by the width or more give 0, or the sign.
void shift(Builder &b) {
  b.allow({});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    binaryOperands(b, sizeof(T), sizeof(T), 4);
    b.inst.run = b.head == "shl" ? binary<T, T, uint32_t>([](T x, uint32_t n) {
      return n < kBits<T> ? static_cast<T>(Wrap<T>(x) << n) : T{0};
    })
                                 : binary<T, T, uint32_t>([](T x, uint32_t n) {
                                     if (n < kBits<T>)
                                       return static_cast<T>(x >> n);
                                     return static_cast<T>(x < 0 ? -1 : 0);
                                   });
  });
}

void funnelShift(Builder &b) {
  b.allow({"l", "r", "clamp", "wrap"});
  ternaryOperands(b, 4, 4, 4, 4);
  using U = uint32_t;
  bool clamp = b.has("clamp");
  if (b.has("l"))
    b.inst.run = clamp ? ternary<U, U, U, U>([](U lo, U hi, U n) {
      uint64_t v = (uint64_t{hi} << 32 | lo);
      return n >= 32 ? lo : static_cast<U>(v << n >> 32);
    })
                       : ternary<U, U, U, U>([](U lo, U hi, U n) {
                           return static_cast<U>(
                               (uint64_t{hi} << 32 | lo) << (n & 31) >> 32);
                         });
  else
    b.inst.run =
        clamp ? ternary<U, U, U, U>([](U lo, U hi, U n) {
          return n >= 32 ? hi : static_cast<U>((uint64_t{hi} << 32 | lo) >> n);
        })
              : ternary<U, U, U, U>([](U lo, U hi, U n) {
                  return static_cast<U>((uint64_t{hi} << 32 | lo) >> (n & 31));
                });
}

Outcome lookUp3(Warp &warp, const Inst &inst, Mask mask) {
  const uint32_t *a = warp.reg<uint32_t>(inst.a);
  const uint32_t *b = warp.reg<uint32_t>(inst.b);
  const uint32_t *c = warp.reg<uint32_t>(inst.c);
  uint32_t *d = warp.reg<uint32_t>(inst.dst);
  uint32_t result[kLanes] = {};
  for (uint32_t row = 0; row < 8; ++row) {
    if ((inst.mode >> row & 1) == 0)
      continue;
    uint32_t x = row & 4 ? 0 : ~0u;
    uint32_t y = row & 2 ? 0 : ~0u;
    uint32_t z = row & 1 ? 0 : ~0u;
    for (int i = 0; i < kLanes; ++i)
      result[i] |= (a[i] ^ x) & (b[i] ^ y) & (c[i] ^ z);
  }
  forLanes(mask, [&](uint32_t i) { d[i] = result[i]; });
  return Outcome::kNext;
}

void lop3(Builder &b) {
  b.allow({});
  b.expectCount(5, 5);
  b.inst.dst = b.destination(b.operand(0), 4);
  b.inst.a = b.source(b.operand(1), 4);
  b.inst.b = b.source(b.operand(2), 4);
  b.inst.c = b.source(b.operand(3), 4);
  if (b.operand(4).kind != Operand::kInteger)
    b.fail("the table is no constant");
  b.inst.mode = static_cast<uint32_t>(b.operand(4).bits & 0xff);
  b.inst.run = lookUp3;
}

uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
  uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    uint32_t pick = selector >> (4 * i) & 15;
    uint32_t byte = static_cast<uint32_t>(bytes >> (8 * (pick & 7)) & 0xff);
    if (pick & 8)
      byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

uint32_t permuteMode(uint32_t a, uint32_t b, uint32_t c, uint32_t mode) {
  uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t n = c & 3;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    uint32_t pick = 0;
    switch (mode) {
    case 1: // f4e
      pick = n + i;
      break;
    case 2: // b4e
      pick = (n + 8 - i) & 7;
      break;
    case 3: // rc8
      pick = n;
      break;
    case 4: // ecl
      pick = std::max(i, n);
      break;
    case 5: // ecr
      pick = std::min(i, n);
      break;
    default: // rc16
      pick = (n & 1) * 2 + (i & 1);
    }
    result |= static_cast<uint32_t>(bytes >> (8 * pick) & 0xff) << (8 * i);
  }
  return result;
}

void prmt(Builder &b) {
  b.allow({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"});
  ternaryOperands(b, 4, 4, 4, 4);
  using U = uint32_t;
  b.inst.run =
      b.has("f4e") ? ternary<U, U, U, U>(
                         [](U x, U y, U z) { return permuteMode(x, y, z, 1); })
      : b.has("b4e") ? ternary<U, U, U, U>([](U x, U y, U z) {
          return permuteMode(x, y, z, 2);
        })
      : b.has("rc8") ? ternary<U, U, U, U>([](U x, U y, U z) {
          return permuteMode(x, y, z, 3);
        })
      : b.has("ecl") ? ternary<U, U, U, U>([](U x, U y, U z) {
          return permuteMode(x, y, z, 4);
        })
      : b.has("ecr") ? ternary<U, U, U, U>([](U x, U y, U z) {
          return permuteMode(x, y, z, 5);
        })
      : b.has("rc16")
          ? ternary<U, U, U, U>(
                [](U x, U y, U z) { return permuteMode(x, y, z, 6); })
          : ternary<U, U, U, U>([](U x, U y, U z) { return permute(x, y, z); });
}

template <typename T> T extract(T a, uint32_t position, uint32_t length) {
  position &= 0xff;
  length &= 0xff;
  constexpr uint32_t top = kBits<T> - 1;
  if (length == 0)
    return 0;
  uint32_t signAt = std::min(position + length - 1, top);
  bool sign =
      std::is_signed_v<T> && (static_cast<uint64_t>(a) >> signAt & 1) != 0;
  uint64_t bits = static_cast<std::make_unsigned_t<T>>(a);
  bits = position > top ? 0 : bits >> position;
  uint32_t have = position > top ? 0 : std::min(length, top + 1 - position);
  if (have < 64)
    bits &= (uint64_t{1} << have) - 1;
  if (sign && have < 64)
    bits |= ~uint64_t{0} << have;
  return static_cast<T>(bits);
}

template <typename T> T insert(T a, T b, uint32_t position, uint32_t length) {
  position &= 0xff;
  length &= 0xff;
  if (length == 0 || position >= kBits<T>)
    return b;
  uint32_t have = std::min<uint32_t>(length, kBits<T> - position);
  uint64_t field = (have < 64 ? (uint64_t{1} << have) - 1 : ~uint64_t{0})
                   << position;
  return static_cast<T>((static_cast<uint64_t>(a) << position & field) |
                        (static_cast<uint64_t>(b) & ~field));
}

void bfe(Builder &b) {
  b.allow({});
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    ternaryOperands(b, sizeof(T), sizeof(T), 4, 4);
    if constexpr (sizeof(T) >= 4)
      b.inst.run = ternary<T, T, uint32_t, uint32_t>(
          [](T x, uint32_t p, uint32_t n) { return extract(x, p, n); });
  });
}

template <typename T>
Outcome insertLanes(Warp &warp, const Inst &inst, Mask mask) {
  forLanes(mask, [&](uint32_t i) {
    warp.reg<T>(inst.dst)[i] =
        insert(warp.reg<T>(inst.a)[i], warp.reg<T>(inst.b)[i],
               warp.reg<uint32_t>(inst.c)[i], warp.reg<uint32_t>(inst.d)[i]);
  });
  return Outcome::kNext;
}

void bfi(Builder &b) {
  b.allow({});
  b.expectCount(5, 5);
  uint32_t bytes = b.type().bytes();
  b.inst.dst = b.destination(b.operand(0), bytes);
  b.inst.a = b.source(b.operand(1), bytes);
  b.inst.b = b.source(b.operand(2), bytes);
  b.inst.c = b.source(b.operand(3), 4);
  b.inst.d = b.source(b.operand(4), 4);
  if (bytes == 4)
    b.inst.run = insertLanes<uint32_t>;
  else if (bytes == 8)
    b.inst.run = insertLanes<uint64_t>;
}

void bmsk(Builder &b) {
  b.allow({"clamp", "wrap"});
  binaryOperands(b, 4, 4, 4);
  using U = uint32_t;
  b.inst.run =
      b.has("wrap") ? binary<U, U, U>([](U p, U n) {
        return static_cast<U>(((uint64_t{1} << (n & 31)) - 1) << (p & 31));
      })
                    : binary<U, U, U>([](U p, U n) {
                        return p > 31
                                   ? 0
                                   : static_cast<U>(
                                         ((uint64_t{1} << std::min(n, 32u)) - 1)
                                         << p);
                      });
}

// The position of the highest bit that differs from the sign, or all ones.
template <typename T> uint32_t findHighest(T a) {
  uint64_t bits = static_cast<std::make_unsigned_t<T>>(a < 0 ? ~a : a);
  return bits == 0 ? ~0u : 63u - static_cast<uint32_t>(std::countl_zero(bits));
}

void countBits(Builder &b) {
  b.allow({"shiftamt"});
  bool shiftAmount = b.has("shiftamt");
  withInteger(b, b.type(), [&](auto t) {
    using T = decltype(t);
    using U = std::make_unsigned_t<T>;
    if constexpr (sizeof(T) >= 4) {
      if (b.head == "brev") {
        unaryOperands(b, sizeof(T), sizeof(T));
        b.inst.run =
            sizeof(T) == 4 ? unary<T, T>([](T x) {
              return static_cast<T>(
                  __builtin_bitreverse32(static_cast<uint32_t>(x)));
            })
                           : unary<T, T>([](T x) {
                               return static_cast<T>(__builtin_bitreverse64(
                                   static_cast<uint64_t>(x)));
                             });
        return;
      }
      unaryOperands(b, 4, sizeof(T));
      if (b.head == "popc")
        b.inst.run = unary<uint32_t, T>([](T x) {
          return static_cast<uint32_t>(std::popcount(static_cast<U>(x)));
        });
      else if (b.head == "clz")
        b.inst.run = unary<uint32_t, T>([](T x) {
          return static_cast<uint32_t>(std::countl_zero(static_cast<U>(x)));
        });
      else if (shiftAmount)
        b.inst.run = unary<uint32_t, T>([](T x) {
          uint32_t at = findHighest(x);
          return at == ~0u ? at : static_cast<uint32_t>(kBits<T> - 1) - at;
        });
      else
        b.inst.run = unary<uint32_t, T>([](T x) { return findHighest(x); });
    }
  });
}

void dp4a(Builder &b) {
  b.allow({});
  ternaryOperands(b, 4, 4, 4, 4);
  auto make = [](auto sa, auto sb) {
    using A = decltype(sa);
    using B = decltype(sb);
    return ternary<uint32_t, uint32_t, uint32_t, uint32_t>(
        [](uint32_t x, uint32_t y, uint32_t z) {
          for (int i = 0; i < 4; ++i)
            z += static_cast<uint32_t>(int32_t{static_cast<A>(x >> (8 * i))} *
                                       int32_t{static_cast<B>(y >> (8 * i))});
          return z;
        });
  };
  bool sa = b.type(0).isSigned();
  bool sb = b.type(1).isSigned();
  b.inst.run =
      sa ? (sb ? make(int8_t{}, int8_t{}) : make(int8_t{}, uint8_t{}))
         : (sb ? make(uint8_t{}, int8_t{}) : make(uint8_t{}, uint8_t{}));
}

void szext(Builder &b) {
  b.allow({"clamp", "wrap"});
  binaryOperands(b, 4, 4, 4);
  using U = uint32_t;
  if (b.has("wrap"))
    b.inst.run = b.type().isSigned() ? binary<U, U, U>([](U x, U n) {
      return static_cast<U>(extract(static_cast<int32_t>(x), 0, n & 31));
    })
                                     : binary<U, U, U>([](U x, U n) {
                                         return extract(x, 0, n & 31);
                                       });
  else
    b.inst.run = b.type().isSigned() ? binary<U, U, U>([](U x, U n) {
      return static_cast<U>(
          extract(static_cast<int32_t>(x), 0, std::min(n, 32u)));
    })
                                     : binary<U, U, U>([](U x, U n) {
                                         return extract(x, 0, std::min(n, 32u));
                                       });
}

} // namespace

// add, sub, mul, min and so on of floats come to findFloatDecoder through these
// names too.
void decodeIntegerArithmetic(Builder &b) {
  if (b.head == "add" || b.head == "sub")
    return add(b);
  if (b.head == "mul")
    return mul(b);
  if (b.head == "div")
    return divide(b);
  if (b.head == "min" || b.head == "max")
    return minMax(b);
  return negate(b);
}

Decoder findIntegerDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"mad", mad},        {"rem", divide},      {"sad", sad},
      {"and", logic},      {"or", logic},        {"xor", logic},
      {"not", logic},      {"cnot", logic},      {"shl", shift},
      {"shr", shift},      {"shf", funnelShift}, {"lop3", lop3},
      {"prmt", prmt},      {"bfe", bfe},         {"bfi", bfi},
      {"bmsk", bmsk},      {"popc", countBits},  {"clz", countBits},
      {"brev", countBits}, {"bfind", countBits}, {"dp4a", dp4a},
      {"szext", szext},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
