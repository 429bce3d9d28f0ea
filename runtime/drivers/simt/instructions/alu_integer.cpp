// Integer arithmetic (PTX ISA, "Integer Arithmetic Instructions").
#include "runtime/drivers/simt/instructions/alu_integer.h"

#include <limits>
#include <map>

namespace nibble::simt {

namespace {

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

// The ISA leaves the quotient of a division by zero undefined. The device
// returns all ones for unsigned operands.
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

// Sum of absolute differences.
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
} // namespace

// Floats share these names (add, sub, mul, min and others), so their decoding
// goes through findFloatDecoder.
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
      {"mad", mad}, {"rem", divide}, {"sad", sad}, {"dp4a", dp4a}};
  auto found = decoders.find(head);
  return found == decoders.end() ? findBitDecoder(head) : found->second;
}

} // namespace nibble::simt
