// Patterns that expand scalar operations without support in LLVM or a library.
#include "passes/LowerToHost/ScalarExpansions.h"

#include "dialects/ElementType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <cmath>

using namespace mlir;
using namespace nibble::host;

namespace {

using Product = llvm::function_ref<Value(OpBuilder &, Location, Value, Value)>;

Value floatProduct(OpBuilder &b, Location loc, Value x, Value y) {
  return arith::MulFOp::create(b, loc, x, y);
}
Value integerProduct(OpBuilder &b, Location loc, Value x, Value y) {
  return arith::MulIOp::create(b, loc, x, y);
}

Value constantLike(ImplicitLocOpBuilder &b, Type type, double value) {
  TypedAttr number = b.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    number = DenseElementsAttr::get(shaped, Attribute(number));
  return arith::ConstantOp::create(b, number);
}

Value constantLike(ImplicitLocOpBuilder &b, Type type, int64_t value) {
  TypedAttr number = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto shaped = dyn_cast<ShapedType>(type))
    number = DenseElementsAttr::get(shaped, Attribute(number));
  return arith::ConstantOp::create(b, number);
}

// base to the power of a constant non-negative exponent: multiplies base,
// base^2, base^4, ... by the exponent's bits, least significant first.
Value knownPower(ImplicitLocOpBuilder &b, Value base, uint64_t exponent,
                 Value one, Product product) {
  Value power;
  Value square = base;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1)
      power = power ? product(b, b.getLoc(), power, square) : square;
    if (exponent > 1)
      square = product(b, b.getLoc(), square, square);
  }
  return power ? power : one;
}

// The same product for a dynamic exponent, in a loop over its bits. `magnitude`
// is unsigned.
Value unknownPower(ImplicitLocOpBuilder &b, Value base, Value magnitude,
                   Value one, Product product) {
  Type integer = magnitude.getType();
  Type type = base.getType();
  Value zero = constantLike(b, integer, int64_t{0});
  Value bit = constantLike(b, integer, int64_t{1});
  auto isNotZero = [&](OpBuilder &builder, Location loc, Value value) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value,
                                 zero);
  };
  auto loop = scf::WhileOp::create(
      b, TypeRange{integer, type, type}, ValueRange{magnitude, one, base},
      [&](OpBuilder &builder, Location loc, ValueRange values) {
        scf::ConditionOp::create(builder, loc,
                                 isNotZero(builder, loc, values[0]), values);
      },
      [&](OpBuilder &builder, Location loc, ValueRange values) {
        Value isOdd = isNotZero(
            builder, loc, arith::AndIOp::create(builder, loc, values[0], bit));
        Value power = arith::SelectOp::create(
            builder, loc, isOdd, product(builder, loc, values[1], values[2]),
            values[1]);
        Value square = product(builder, loc, values[2], values[2]);
        scf::YieldOp::create(
            builder, loc,
            ValueRange{arith::ShRUIOp::create(builder, loc, values[0], bit),
                       power, square});
      });
  return loop.getResult(1);
}

// The magnitude of a number as an unsigned number, and whether the number is
// negative. The magnitude of the smallest integer is itself.
std::pair<Value, Value> magnitudeOf(ImplicitLocOpBuilder &b, Value exponent) {
  Value zero = constantLike(b, exponent.getType(), int64_t{0});
  Value isNegative =
      arith::CmpIOp::create(b, arith::CmpIPredicate::slt, exponent, zero);
  Value negated = arith::SubIOp::create(b, zero, exponent);
  return {arith::SelectOp::create(b, isNegative, negated, exponent),
          isNegative};
}

// Constant exponents with up to this many bits are unrolled.
constexpr unsigned kKnownBits = 12;

class FloatPower final : public OpRewritePattern<math::FPowIOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FPowIOp op,
                                PatternRewriter &rewriter) const override {
    if (isa<ShapedType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not a scalar");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    // Narrow types are rounded once, at the end.
    FloatType type = op.getType().getIntOrFloatBitWidth() < 32
                         ? b.getF32Type()
                         : cast<FloatType>(op.getType());
    bool isNarrow = type != op.getType();
    Value base = isNarrow
                     ? arith::ExtFOp::create(b, type, op.getLhs()).getResult()
                     : op.getLhs();
    Value power = powerOf(b, base, op.getRhs());
    rewriter.replaceOp(
        op, isNarrow
                ? arith::TruncFOp::create(b, op.getType(), power).getResult()
                : power);
    return success();
  }

private:
  static Value powerOf(ImplicitLocOpBuilder &b, Value base, Value exponent) {
    Value one = constantLike(b, base.getType(), 1.0);
    APInt known;
    if (matchPattern(exponent, m_ConstantInt(&known)) &&
        known.getSignificantBits() <= kKnownBits) {
      Value power =
          knownPower(b, base, known.abs().getZExtValue(), one, floatProduct);
      return known.isNegative()
                 ? arith::DivFOp::create(b, one, power).getResult()
                 : power;
    }
    auto [magnitude, isNegative] = magnitudeOf(b, exponent);
    Value power = unknownPower(b, base, magnitude, one, floatProduct);
    return arith::SelectOp::create(b, isNegative,
                                   arith::DivFOp::create(b, one, power), power);
  }
};

// A negative exponent keeps 1, keeps or negates -1, and makes everything else
// 0.
class IntegerPower final : public OpRewritePattern<math::IPowIOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IPowIOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (isa<ShapedType>(type))
      return rewriter.notifyMatchFailure(op, "not a scalar");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value base = op.getLhs();
    Value one = constantLike(b, type, int64_t{1});
    APInt known;
    if (matchPattern(op.getRhs(), m_ConstantInt(&known)) &&
        !known.isNegative() && known.getSignificantBits() <= kKnownBits) {
      rewriter.replaceOp(
          op, knownPower(b, base, known.getZExtValue(), one, integerProduct));
      return success();
    }
    auto [magnitude, isNegative] = magnitudeOf(b, op.getRhs());
    Value power = unknownPower(b, base, magnitude, one, integerProduct);
    auto isEqual = [&](int64_t value) {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, base,
                                   constantLike(b, type, value));
    };
    Value stays = arith::OrIOp::create(b, isEqual(1), isEqual(-1));
    Value inverse = arith::SelectOp::create(b, stays, power,
                                            constantLike(b, type, int64_t{0}));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isNegative, inverse,
                                                 power);
    return success();
  }
};

class IsInfinite final : public OpRewritePattern<math::IsInfOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsInfOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type type = op.getOperand().getType();
    Value magnitude = math::AbsFOp::create(b, op.getOperand());
    rewriter.replaceOpWithNewOp<arith::CmpFOp>(op, arith::CmpFPredicate::OEQ,
                                               magnitude,
                                               constantLike(b, type, INFINITY));
    return success();
  }
};

class IsNormal final : public OpRewritePattern<math::IsNormalOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::IsNormalOp op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type type = op.getOperand().getType();
    const llvm::fltSemantics &semantics =
        cast<FloatType>(getElementTypeOrSelf(type)).getFloatSemantics();
    double least = APFloat::getSmallestNormalized(semantics).convertToDouble();
    Value magnitude = math::AbsFOp::create(b, op.getOperand());
    Value isLarge = arith::CmpFOp::create(
        b, arith::CmpFPredicate::OGE, magnitude, constantLike(b, type, least));
    Value isFinite =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, magnitude,
                              constantLike(b, type, INFINITY));
    rewriter.replaceOpWithNewOp<arith::AndIOp>(op, isLarge, isFinite);
    return success();
  }
};

// min(max(x, low), high), where NaN stays NaN. Upstream's own expansion applies
// the bounds in the other order.
class Clamp final : public OpRewritePattern<math::ClampFOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ClampFOp op,
                                PatternRewriter &rewriter) const override {
    arith::FastMathFlags flags = op.getFastmath();
    Value raised = arith::MaximumFOp::create(rewriter, op.getLoc(),
                                             op.getValue(), op.getMin(), flags);
    rewriter.replaceOpWithNewOp<arith::MinimumFOp>(op, raised, op.getMax(),
                                                   flags);
    return success();
  }
};

// Like all arithmetic of narrow types: widen, compute in float32, round.
class NarrowFma final : public OpRewritePattern<math::FmaOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    Type element = getElementTypeOrSelf(type);
    if (!element.isBF16() && !element.isF16())
      return rewriter.notifyMatchFailure(op, "not of a narrow type");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type wide = nibble::withElement(type, b.getF32Type());
    auto widened = [&](Value value) -> Value {
      return arith::ExtFOp::create(b, wide, value);
    };
    Value result = math::FmaOp::create(b, widened(op.getA()),
                                       widened(op.getB()), widened(op.getC()));
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, result);
    return success();
  }
};

// LLVM's intrinsic for both returns a struct, which makes the optimizer of
// release 22 crash.
class SineAndCosine final : public OpRewritePattern<math::SincosOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::SincosOp op,
                                PatternRewriter &rewriter) const override {
    Value sine = math::SinOp::create(rewriter, op.getLoc(), op.getOperand());
    Value cosine = math::CosOp::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOp(op, {sine, cosine});
    return success();
  }
};

// Goes through float32 with rounding to odd: toward zero, with the last bit set
// when something was cut off. Two roundings to nearest would be wrong when the
// first result is half-way between two bf16 numbers (Boldo and Melquiond, "When
// double rounding is odd", 2005).
class DoubleToBf16 final : public OpRewritePattern<arith::TruncFOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Value x = op.getIn();
    Type wide = x.getType();
    if (!getElementTypeOrSelf(op.getType()).isBF16() ||
        !getElementTypeOrSelf(wide).isF64() || isa<TensorType>(wide))
      return rewriter.notifyMatchFailure(
          op, "does not round float64 scalars or vectors to bf16");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type single = nibble::withElement(wide, b.getF32Type());
    Type integer = nibble::withElement(wide, b.getI32Type());
    Value nearest = arith::TruncFOp::create(b, single, x);
    Value back = arith::ExtFOp::create(b, wide, nearest);
    Value isInexact = arith::CmpFOp::create(b, arith::CmpFPredicate::ONE, back,
                                            x); // false for a NaN
    Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT,
                                           math::AbsFOp::create(b, back),
                                           math::AbsFOp::create(b, x));
    Value bits = arith::BitcastOp::create(b, integer, nearest);
    Value towardZero = arith::SubIOp::create(
        b, bits, arith::ExtUIOp::create(b, integer, isLarger));
    Value odd = arith::OrIOp::create(b, towardZero,
                                     constantLike(b, integer, int64_t{1}));
    Value chosen = arith::SelectOp::create(b, isInexact, odd, bits);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(
        op, op.getType(), arith::BitcastOp::create(b, single, chosen));
    return success();
  }
};

} // namespace

void nibble::host::populateScalarExpansions(RewritePatternSet &patterns) {
  patterns.add<FloatPower, IntegerPower, IsInfinite, IsNormal, Clamp, NarrowFma,
               SineAndCosine, DoubleToBf16>(patterns.getContext(),
                                            /*benefit=*/2);
}
