// Floating-point arithmetic (PTX ISA, "Floating Point Instructions", "Half
// Precision Floating Point Instructions").
//
// The ISA only bounds the error of .approx forms and div.full. Here they return
// the exact value rounded once.
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/instructions/lanes.h"

namespace nibble::simt {

void decodeIntegerArithmetic(Builder &b);

namespace {

// float32 arithmetic. With kFlush, denormal operands and results become zero.
template <bool kFlush> struct Single {
  using Bits = float;
  static float load(float x) { return kFlush ? flush(x) : x; }
  static float store(float x) { return canonical(kFlush ? flush(x) : x); }
};
struct Double {
  using Bits = double;
  static double load(double x) { return x; }
  static double store(double x) { return x; }
};

struct AddOp {
  template <typename T> static T run(T a, T b) { return a + b; }
};
struct SubOp {
  template <typename T> static T run(T a, T b) { return a - b; }
};
struct MulOp {
  template <typename T> static T run(T a, T b) { return a * b; }
};
struct DivOp {
  template <typename T> static T run(T a, T b) { return a / b; }
};
template <typename T> bool isNegative(T x) { return std::signbit(x); }
struct MinOp {
  template <typename T> static T run(T a, T b) {
    if (a != a)
      return b;
    if (b != b)
      return a;
    if (a == b)
      return isNegative(a) ? a : b;
    return a < b ? a : b;
  }
};
struct MaxOp {
  template <typename T> static T run(T a, T b) {
    if (a != a)
      return b;
    if (b != b)
      return a;
    if (a == b)
      return isNegative(a) ? b : a;
    return a < b ? b : a;
  }
};
template <typename Op> struct NanOp {
  template <typename T> static T run(T a, T b) {
    return a != a ? a : b != b ? b : Op::run(a, b);
  }
};
struct FmaOp {
  template <typename T> static T run(T a, T b, T c) {
    return std::fma(a, b, c);
  }
};
struct SqrtOp {
  template <typename T> static T run(T a) { return std::sqrt(a); }
};
struct RsqrtOp {
  static float run(float a) {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(a)));
  }
  static double run(double a) { return 1.0 / std::sqrt(a); }
};
struct RcpOp {
  template <typename T> static T run(T a) { return T{1} / a; }
};
struct Exp2Op {
  static float run(float a) {
    return static_cast<float>(std::exp2(static_cast<double>(a)));
  }
  static double run(double a) { return std::exp2(a); }
};
struct Log2Op {
  static float run(float a) {
    return static_cast<float>(std::log2(static_cast<double>(a)));
  }
  static double run(double a) { return std::log2(a); }
};
struct SinOp {
  static float run(float a) {
    return static_cast<float>(std::sin(static_cast<double>(a)));
  }
  static double run(double a) { return std::sin(a); }
};
struct CosOp {
  static float run(float a) {
    return static_cast<float>(std::cos(static_cast<double>(a)));
  }
  static double run(double a) { return std::cos(a); }
};
struct TanhOp {
  static float run(float a) {
    return static_cast<float>(std::tanh(static_cast<double>(a)));
  }
  static double run(double a) { return std::tanh(a); }
};

template <typename F, typename Op> typename F::Bits one(typename F::Bits a) {
  return F::store(Op::run(F::load(a)));
}
template <typename F, typename Op>
typename F::Bits two(typename F::Bits a, typename F::Bits b) {
  return F::store(Op::run(F::load(a), F::load(b)));
}
template <typename F, typename Op>
typename F::Bits three(typename F::Bits a, typename F::Bits b,
                       typename F::Bits c) {
  if constexpr (sizeof(typename F::Bits) == 2)
    return F::store(toOdd(fusedOdd(F::load(a), F::load(b), F::load(c))));
  else
    return F::store(Op::run(F::load(a), F::load(b), F::load(c)));
}

inline uint32_t pack(uint16_t lo, uint16_t hi) {
  return static_cast<uint32_t>(hi) << 16 | lo;
}
inline uint16_t low(uint32_t x) { return static_cast<uint16_t>(x); }
inline uint16_t high(uint32_t x) { return static_cast<uint16_t>(x >> 16); }

template <typename F, typename Op> void unaryOf(Builder &b) {
  using T = typename F::Bits;
  unaryOperands(b, sizeof(T), sizeof(T));
  b.inst.run = unary<T, T>([](T x) { return one<F, Op>(x); });
}
template <typename F, typename Op> void unaryPacked(Builder &b) {
  using U = uint32_t;
  unaryOperands(b, 4, 4);
  b.inst.run = unary<U, U>(
      [](U x) { return pack(one<F, Op>(low(x)), one<F, Op>(high(x))); });
}
template <typename F, typename Op> void binaryOf(Builder &b) {
  using T = typename F::Bits;
  binaryOperands(b, sizeof(T), sizeof(T), sizeof(T));
  b.inst.run = binary<T, T, T>([](T x, T y) { return two<F, Op>(x, y); });
}
template <typename F, typename Op> void binaryPacked(Builder &b) {
  using U = uint32_t;
  binaryOperands(b, 4, 4, 4);
  b.inst.run = binary<U, U, U>([](U x, U y) {
    return pack(two<F, Op>(low(x), low(y)), two<F, Op>(high(x), high(y)));
  });
}

template <typename Op> void binaryAll(Builder &b) {
  Type type = b.type();
  bool ftz = b.has("ftz");
  if (type.kind == 'f' && type.bits == 32)
    return ftz ? binaryOf<Single<true>, Op>(b) : binaryOf<Single<false>, Op>(b);
  if (type.kind == 'f' && type.bits == 64)
    return binaryOf<Double, Op>(b);
  if (ftz)
    return b.fail(".ftz is not supported for 16 bits");
  if (type.kind == 'f')
    return type.packed ? binaryPacked<Half, Op>(b) : binaryOf<Half, Op>(b);
  return type.packed ? binaryPacked<Brain, Op>(b) : binaryOf<Brain, Op>(b);
}

template <typename Op> void unaryAll(Builder &b) {
  Type type = b.type();
  if (type.kind == 'f' && type.bits == 32)
    return b.has("ftz") ? unaryOf<Single<true>, Op>(b)
                        : unaryOf<Single<false>, Op>(b);
  if (type.kind == 'f' && type.bits == 64)
    return unaryOf<Double, Op>(b);
  // 16-bit approximations flush neither operands nor results: they round the
  // exact value once.
  if (type.kind == 'f')
    return type.packed ? unaryPacked<Half, Op>(b) : unaryOf<Half, Op>(b);
  if (type.kind == 'h')
    return type.packed ? unaryPacked<Brain, Op>(b) : unaryOf<Brain, Op>(b);
  b.fail("this type is not supported here");
}

template <typename F> void fusedOf(Builder &b) {
  using T = typename F::Bits;
  ternaryOperands(b, sizeof(T), sizeof(T), sizeof(T), sizeof(T));
  b.inst.run = ternary<T, T, T, T>(
      [](T x, T y, T z) { return three<F, FmaOp>(x, y, z); });
}
template <typename F> void fusedPacked(Builder &b) {
  using U = uint32_t;
  ternaryOperands(b, 4, 4, 4, 4);
  b.inst.run = ternary<U, U, U, U>([](U x, U y, U z) {
    return pack(three<F, FmaOp>(low(x), low(y), low(z)),
                three<F, FmaOp>(high(x), high(y), high(z)));
  });
}

void fma(Builder &b) {
  b.allow({"rn", "ftz"});
  Type type = b.type();
  if (!type.isFloat())
    return b.fail("this type is not supported here");
  if (type.kind == 'f' && type.bits == 32)
    return b.has("ftz") ? fusedOf<Single<true>>(b) : fusedOf<Single<false>>(b);
  if (type.kind == 'f' && type.bits == 64)
    return fusedOf<Double>(b);
  if (b.has("ftz"))
    return b.fail(".ftz is not supported for 16 bits");
  if (type.kind == 'f')
    return type.packed ? fusedPacked<Half>(b) : fusedOf<Half>(b);
  return type.packed ? fusedPacked<Brain>(b) : fusedOf<Brain>(b);
}

// The sign is a bit operation. In addition, f32 with .ftz flushes denormals.
void sign(Builder &b) {
  b.allow({"ftz"});
  Type type = b.type();
  bool isNeg = b.head == "neg";
  bool ftz = b.has("ftz");
  uint32_t bytes = type.bytes();
  unaryOperands(b, bytes, bytes);
  if (bytes == 8)
    b.inst.run = isNeg ? unary<uint64_t, uint64_t>(
                             [](uint64_t x) { return x ^ uint64_t{1} << 63; })
                       : unary<uint64_t, uint64_t>([](uint64_t x) {
                           return x & ~(uint64_t{1} << 63);
                         });
  else if (type.packed)
    b.inst.run = isNeg ? unary<uint32_t, uint32_t>(
                             [](uint32_t x) { return x ^ 0x80008000u; })
                       : unary<uint32_t, uint32_t>(
                             [](uint32_t x) { return x & 0x7fff7fffu; });
  else if (bytes == 2)
    b.inst.run = isNeg ? unary<uint16_t, uint16_t>([](uint16_t x) {
      return static_cast<uint16_t>(x ^ 0x8000u);
    })
                       : unary<uint16_t, uint16_t>([](uint16_t x) {
                           return static_cast<uint16_t>(x & 0x7fffu);
                         });
  else if (ftz)
    b.inst.run =
        isNeg ? unary<float, float>([](float x) { return -flush(x); })
              : unary<float, float>([](float x) { return std::abs(flush(x)); });
  else
    b.inst.run = isNeg ? unary<uint32_t, uint32_t>(
                             [](uint32_t x) { return x ^ 0x80000000u; })
                       : unary<uint32_t, uint32_t>(
                             [](uint32_t x) { return x & 0x7fffffffu; });
}

void arithmetic(Builder &b) {
  if (!b.type().isFloat())
    return decodeIntegerArithmetic(b);
  if (b.head == "neg" || b.head == "abs")
    return sign(b);
  if (b.head == "min" || b.head == "max") {
    b.allow({"ftz", "NaN"});
    if (b.head == "min")
      return b.has("NaN") ? binaryAll<NanOp<MinOp>>(b) : binaryAll<MinOp>(b);
    return b.has("NaN") ? binaryAll<NanOp<MaxOp>>(b) : binaryAll<MaxOp>(b);
  }
  if (b.head == "div") {
    b.allow({"rn", "ftz", "approx", "full"});
    return binaryAll<DivOp>(b);
  }
  b.allow({"rn", "ftz"});
  if (b.head == "add")
    return binaryAll<AddOp>(b);
  if (b.head == "sub")
    return binaryAll<SubOp>(b);
  return binaryAll<MulOp>(b);
}

void function(Builder &b) {
  b.allow({"rn", "ftz", "approx"});
  if (b.head == "sqrt")
    return unaryAll<SqrtOp>(b);
  if (b.head == "rsqrt")
    return unaryAll<RsqrtOp>(b);
  if (b.head == "rcp")
    return unaryAll<RcpOp>(b);
  if (b.head == "ex2")
    return unaryAll<Exp2Op>(b);
  if (b.head == "lg2")
    return unaryAll<Log2Op>(b);
  if (b.head == "sin")
    return unaryAll<SinOp>(b);
  if (b.head == "cos")
    return unaryAll<CosOp>(b);
  return unaryAll<TanhOp>(b);
}

// Combines the sign of a with the magnitude of b.
void copySign(Builder &b) {
  b.allow({});
  if (b.type().bytes() == 8) {
    binaryOperands(b, 8, 8, 8);
    b.inst.run = binary<double, double, double>(
        [](double x, double y) { return std::copysign(y, x); });
  } else {
    binaryOperands(b, 4, 4, 4);
    b.inst.run = binary<float, float, float>(
        [](float x, float y) { return std::copysign(y, x); });
  }
}

template <typename T>
Outcome testLanes(Warp &warp, const Inst &inst, Mask mask) {
  Mask result = 0;
  forLanes(mask, [&](uint32_t i) {
    T x = warp.reg<T>(inst.a)[i];
    int kind = std::fpclassify(x);
    bool holds = inst.mode == 0   ? kind != FP_INFINITE && kind != FP_NAN
                 : inst.mode == 1 ? kind == FP_INFINITE
                 : inst.mode == 2 ? kind != FP_NAN
                 : inst.mode == 3 ? kind == FP_NAN
                 : inst.mode == 4 ? kind == FP_NORMAL
                                  : kind == FP_SUBNORMAL;
    result |= static_cast<Mask>(holds) << i;
  });
  Mask &d = warp.predicate(inst.dst);
  d = (d & ~mask) | result;
  return Outcome::kNext;
}

void testp(Builder &b) {
  constexpr std::string_view kinds[] = {"finite",     "infinite", "number",
                                        "notanumber", "normal",   "subnormal"};
  b.allow(
      {"finite", "infinite", "number", "notanumber", "normal", "subnormal"});
  for (uint32_t i = 0; i < 6; ++i)
    if (b.has(kinds[i]))
      b.inst.mode = i;
  uint32_t bytes = b.type().bytes();
  b.inst.dst = b.predicateDestination(b.operand(0));
  b.inst.a = b.source(b.operand(1), bytes);
  b.inst.run = bytes == 8 ? testLanes<double> : testLanes<float>;
}

} // namespace

Decoder findFloatDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"add", arithmetic}, {"sub", arithmetic}, {"mul", arithmetic},
      {"div", arithmetic}, {"min", arithmetic}, {"max", arithmetic},
      {"neg", arithmetic}, {"abs", arithmetic}, {"fma", fma},
      {"sqrt", function},  {"rsqrt", function}, {"rcp", function},
      {"ex2", function},   {"lg2", function},   {"sin", function},
      {"cos", function},   {"tanh", function},  {"copysign", copySign},
      {"testp", testp},
  };
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
