// exp, log, sin and cos as polynomials, so that results never depend on a C
// library or on a compiler's choice.
//
// Each uses fused multiply-adds where it says fma and one rounding per
// operation elsewhere. The coefficients are minimax fits (Remez exchange, 50
// digits), rounded once to the type in which they are used. Errors were
// measured against float64 on float32 numbers: exp < 1.0 ulp, log < 0.83 ulp,
// sine and cosine < 0.501 ulp.
#include "passes/Kernels/Elementary.h"

#include "dialects/ElementType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;

namespace nibble::elementary {

namespace {

// Operations on values of one shape (scalar or vector).
struct Shaped {
  ImplicitLocOpBuilder &b;
  Type like;

  Type withElement(Type element) const {
    return nibble::withElement(like, element);
  }
  Value constant(TypedAttr scalar) const {
    if (auto vector = dyn_cast<VectorType>(like))
      return arith::ConstantOp::create(
          b, DenseElementsAttr::get(vector.clone(scalar.getType()),
                                    Attribute(scalar)));
    return arith::ConstantOp::create(b, scalar);
  }
  Value integer(Type element, int64_t value) const {
    return constant(b.getIntegerAttr(element, value));
  }
  Value real(Type element, double value) const {
    return constant(b.getFloatAttr(element, value));
  }
  Value bits(Value value, Type element) const {
    return arith::BitcastOp::create(b, withElement(element), value);
  }
  Value fma(Value x, Value y, Value z) const {
    return math::FmaOp::create(b, x, y, z);
  }
  // c[0] + c[1] x + ... by Horner's rule, with one fma per step.
  Value polynomial(Value x, Type element, ArrayRef<double> coefficients) const {
    Value sum = real(element, coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, real(element, c));
    return sum;
  }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) const {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value choose(Value condition, Value x, Value y) const {
    return arith::SelectOp::create(b, condition, x, y);
  }
};

} // namespace

// exp(x) = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2 and e^r = 1 + r +
// r^2 q(r). Above 89 the result overflows to infinity without a check. A NaN
// passes the comparisons and stays NaN. 2^n is applied in two factors, so that
// subnormal results are rounded once instead of lost. Smaller results are set
// to 0 instead of computed: a product that underflows costs the CPU a hundred
// cycles, and all masked scores of attention are such products.
Value exp(ImplicitLocOpBuilder &b, Value x) {
  Shaped s{b, x.getType()};
  Type f = b.getF32Type();
  Type i = b.getI32Type();
  Value high = s.real(f, 89.0);
  Value zero = s.real(f, 0.0);
  Value vanishes = s.compare(arith::CmpFPredicate::OLT, x, s.real(f, -104.0));
  Value c = s.choose(s.compare(arith::CmpFPredicate::OGT, x, high), high,
                     s.choose(vanishes, zero, x));

  // Adding 1.5 * 2^23 leaves round(x / ln 2) in the low bits of z.
  Value magic = s.real(f, 12582912.0);
  Value z = s.fma(c, s.real(f, 0x1.715476p+0), magic);
  Value n = arith::SubFOp::create(b, z, magic);
  Value r = s.fma(n, s.real(f, -0x1.62e4p-1), c);
  r = s.fma(n, s.real(f, -0x1.7f7d1cp-20), r);

  Value q = s.polynomial(r, f,
                         {0.49999993447938323853, 0.16666520628716953453,
                          0.041668387991020655609, 0.0083687171570509596727,
                          0.0013814602454714600973});
  Value square = arith::MulFOp::create(b, r, r);
  Value p = arith::AddFOp::create(b, s.fma(square, q, r), s.real(f, 1.0));

  Value k = arith::SubIOp::create(b, s.bits(z, i), s.integer(i, 0x4B400000));
  Value half = arith::ShRSIOp::create(b, k, s.integer(i, 1));
  auto powerOfTwo = [&](Value exponent) -> Value {
    Value biased = arith::AddIOp::create(b, exponent, s.integer(i, 127));
    return s.bits(arith::ShLIOp::create(b, biased, s.integer(i, 23)), f);
  };
  p = arith::MulFOp::create(b, p, powerOfTwo(half));
  p = arith::MulFOp::create(b, p,
                            powerOfTwo(arith::SubIOp::create(b, k, half)));
  return s.choose(vanishes, zero, p);
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)). With g = m - 1, u = g / (2 + g) and
// h = g^2 / 2, log(1 + g) = 2 atanh(u) = g - h + u (h + R). R is the series of
// 2 atanh(u) / u beyond its first term. 0 gives -infinity, and negative numbers
// give NaN.
Value log(ImplicitLocOpBuilder &b, Value x) {
  Shaped s{b, x.getType()};
  Type f = b.getF32Type();
  Type i = b.getI32Type();
  Value one = s.real(f, 1.0);
  Value zero = s.real(f, 0.0);
  Value infinity = s.real(f, INFINITY);

  // Scale subnormal numbers into the normal range.
  Value tiny = s.compare(arith::CmpFPredicate::OLT, x, s.real(f, 0x1p-126));
  Value y = s.choose(tiny, arith::MulFOp::create(b, x, s.real(f, 0x1p23)), x);
  Value bits = s.bits(y, i);
  Value k = arith::ShRSIOp::create(
      b, arith::SubIOp::create(b, bits, s.integer(i, 0x3f3504f3)),
      s.integer(i, 23));
  Value m = s.bits(arith::SubIOp::create(
                       b, bits, arith::ShLIOp::create(b, k, s.integer(i, 23))),
                   f);
  k = arith::SubIOp::create(b, k,
                            s.choose(tiny, s.integer(i, 23), s.integer(i, 0)));
  Value e = arith::SIToFPOp::create(b, s.withElement(f), k);

  Value g = arith::SubFOp::create(b, m, one);
  Value u =
      arith::DivFOp::create(b, g, arith::AddFOp::create(b, s.real(f, 2.0), g));
  Value t = arith::MulFOp::create(b, u, u);
  Value series = s.polynomial(t, f,
                              {0.66666665641279154357, 0.40000336221537987282,
                               0.28537238212077967972, 0.23583570619309356039});
  series = arith::MulFOp::create(b, series, t);
  Value h =
      arith::MulFOp::create(b, arith::MulFOp::create(b, s.real(f, 0.5), g), g);
  Value small =
      arith::MulFOp::create(b, u, arith::AddFOp::create(b, h, series));
  small = s.fma(e, s.real(f, 0x1.2fefa2p-17), small);
  Value inner = arith::SubFOp::create(b, arith::SubFOp::create(b, h, small), g);
  Value result = arith::SubFOp::create(
      b, arith::MulFOp::create(b, e, s.real(f, 0x1.62e3p-1)), inner);

  result = s.choose(s.compare(arith::CmpFPredicate::OGT, x, zero), result,
                    s.choose(s.compare(arith::CmpFPredicate::OEQ, x, zero),
                             s.real(f, -INFINITY), s.real(f, NAN)));
  return s.choose(s.compare(arith::CmpFPredicate::OEQ, x, infinity), infinity,
                  result);
}

// The angle minus n quarter turns is computed in float64, with the quarter turn
// in two parts. Then the quadrant selects the sine or cosine polynomial.
// float64 holds 2^24 quarter turns with 29 bits to spare, so only the rounding
// to float32 is left.
std::pair<Value, Value> sinCos(ImplicitLocOpBuilder &b, Value x) {
  Shaped s{b, x.getType()};
  Type f = b.getF32Type();
  Type d = b.getF64Type();
  Type i = b.getI64Type();
  Value wide = arith::ExtFOp::create(b, s.withElement(d), x);
  Value magic = s.real(d, 0x1.8p52);
  Value z = s.fma(wide, s.real(d, 0x1.45f306dc9c883p-1), magic);
  Value n = arith::SubFOp::create(b, z, magic);
  Value r = s.fma(n, s.real(d, -0x1.921fb54442d18p+0), wide);
  r = s.fma(n, s.real(d, -0x1.1a62633145c07p-54), r);
  Value t = arith::MulFOp::create(b, r, r);

  Value a = s.polynomial(t, d,
                         {-0.16666666666631589675, 0.0083333333252707687767,
                          -0.00019841263822266099611, 2.7555357578976243022e-6,
                          -2.4761638006980113904e-8});
  Value sine = s.fma(arith::MulFOp::create(b, r, t), a, r);
  Value c = s.polynomial(t, d,
                         {0.041666666666602192144, -0.0013888888878265756347,
                          0.000024801580967833651298, -2.7555566423221616239e-7,
                          2.0647691701577772761e-9});
  Value cosine = s.fma(arith::MulFOp::create(b, t, t), c,
                       s.fma(t, s.real(d, -0.5), s.real(d, 1.0)));

  // Quadrant n mod 4: odd quadrants swap sine and cosine. The second and third
  // negate the sine, the first and second the cosine.
  Value quadrant = s.bits(z, i);
  auto hasBit = [&](Value value, int64_t bit) -> Value {
    Value masked = arith::AndIOp::create(b, value, s.integer(i, bit));
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, masked,
                                 s.integer(i, 0));
  };
  auto negateIf = [&](Value condition, Value value) {
    return s.choose(condition, arith::NegFOp::create(b, value), value);
  };
  Value odd = hasBit(quadrant, 1);
  Value sineOut = negateIf(hasBit(quadrant, 2), s.choose(odd, cosine, sine));
  Value shifted = arith::AddIOp::create(b, quadrant, s.integer(i, 1));
  Value cosineOut = negateIf(hasBit(shifted, 2), s.choose(odd, sine, cosine));
  Type narrow = s.withElement(f);
  return {arith::TruncFOp::create(b, narrow, sineOut),
          arith::TruncFOp::create(b, narrow, cosineOut)};
}

} // namespace nibble::elementary
