// Logic, shifts and bit fields of integers (PTX ISA, "Logic and Shift
// Instructions" and the bit fields of "Integer Arithmetic Instructions").
#include "runtime/drivers/simt/instructions/alu_integer.h"

#include <algorithm>
#include <bit>
#include <map>

namespace nibble::simt {

namespace {

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

// A shift by the width or more gives 0, or copies of the sign.
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

Decoder findBitDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"and", logic},      {"or", logic},        {"xor", logic},
      {"not", logic},      {"cnot", logic},      {"shl", shift},
      {"shr", shift},      {"shf", funnelShift}, {"lop3", lop3},
      {"prmt", prmt},      {"bfe", bfe},         {"bfi", bfi},
      {"bmsk", bmsk},      {"popc", countBits},  {"clz", countBits},
      {"brev", countBits}, {"bfind", countBits}, {"szext", szext},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
