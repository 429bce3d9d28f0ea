// Gradient rules of math on scalars and tensors, one line per derivative.
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

#include <numbers>

using namespace mlir;
using namespace nibble;

namespace {

using Predicate = arith::CmpFPredicate;

// dy/dx as a function of x and y, in float32 (or float64).
using Derivative = Expression (*)(Expression x, Expression y);

template <typename Op, Derivative derivative>
struct UnaryModel
    : GradientOpInterface::ExternalModel<UnaryModel<Op, derivative>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    Value x = op->getOperand(0);
    Value y = op->getResult(0);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    gradients.add(x, expression(gradients.of(y)) *
                         derivative(expression(x), expression(y)));
    return success();
  }
};

template <typename Op, Derivative derivative>
void attach(MLIRContext *context) {
  Op::template attachInterface<UnaryModel<Op, derivative>>(*context);
}

// y = a^b: da = dy b a^(b-1), db = dy y log(a). A factor that is identically
// zero makes the product zero, even if the other factor is infinite. So da = 0
// at b = 0, and db = 0 at a = 0 with b >= 0.
struct PowModel : GradientOpInterface::ExternalModel<PowModel, math::PowFOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto power = cast<math::PowFOp>(op);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression a = expression(power.getLhs());
    Expression b = expression(power.getRhs());
    Expression y = expression(power.getResult());
    Expression dy = expression(gradients.of(power.getResult()));
    Expression zero = b.like(0.0);
    if (gradients.isNeeded(power.getLhs()))
      gradients.add(power.getLhs(),
                    dy * (b * a.make<math::PowFOp>(b - 1.0))
                             .unless(b.compare(Predicate::OEQ, zero)));
    if (gradients.isNeeded(power.getRhs())) {
      Value isZero =
          arith::AndIOp::create(builder, loc, a.compare(Predicate::OEQ, zero),
                                b.compare(Predicate::OGE, zero));
      gradients.add(power.getRhs(),
                    dy * (y * a.unary<math::LogOp>()).unless(isZero));
    }
    return success();
  }
};

// y = a^n with an integer n: da = dy n a^(n-1), and 0 at n = 0. For the
// smallest integer n - 1 does not exist, so a^(n-1) is computed as a^n / a.
struct IntegerPowModel
    : GradientOpInterface::ExternalModel<IntegerPowModel, math::FPowIOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto power = cast<math::FPowIOp>(op);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression a = expression(power.getLhs());
    Expression dy = expression(gradients.of(power.getResult()));
    Value n = power.getRhs();
    auto integer = [&](int64_t number) -> Value {
      TypedAttr attribute =
          builder.getIntegerAttr(getElementTypeOrSelf(n.getType()), number);
      if (auto tensor = dyn_cast<RankedTensorType>(n.getType())) {
        Value scalar = arith::ConstantOp::create(builder, loc, attribute);
        Value empty = emptyLike(builder, loc, n, tensor.getElementType());
        return linalg::FillOp::create(builder, loc, scalar, empty).getResult(0);
      }
      return arith::ConstantOp::create(builder, loc, attribute);
    };
    Value less = builder.createOrFold<arith::SubIOp>(loc, n, integer(1));
    Value real =
        builder.createOrFold<arith::SIToFPOp>(loc, Value(a).getType(), n);
    Expression lower(builder, loc,
                     math::FPowIOp::create(builder, loc, a, less));
    int64_t least = llvm::minIntN(
        getElementTypeOrSelf(n.getType()).getIntOrFloatBitWidth());
    if (llvm::APInt known;
        !matchPattern(n, m_ConstantInt(&known)) || known.isMinSignedValue()) {
      Value isLeast = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::eq, n, integer(least));
      lower = lower.butWhere(
          isLeast,
          Expression(builder, loc, math::FPowIOp::create(builder, loc, a, n)) /
              a);
    }
    Expression slope = Expression(builder, loc, real) * lower;
    Value none = builder.createOrFold<arith::CmpIOp>(
        loc, arith::CmpIPredicate::eq, n, integer(0));
    gradients.add(power.getLhs(), dy * slope.unless(none));
    return success();
  }
};

// y = min(max(x, low), high): the bounds pass the gradient on, like the inside.
struct ClampModel
    : GradientOpInterface::ExternalModel<ClampModel, math::ClampFOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto clamp = cast<math::ClampFOp>(op);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression x = expression(clamp.getValue());
    Expression low = expression(clamp.getMin());
    Expression high = expression(clamp.getMax());
    Expression dy = expression(gradients.of(clamp.getResult()));
    Value below = x.compare(Predicate::OLT, low);
    Value above = x.compare(Predicate::OGT, high);
    gradients.add(clamp.getValue(), dy.unless(below).unless(above));
    if (gradients.isNeeded(clamp.getMin()))
      gradients.add(clamp.getMin(), dy.where(below).unless(above));
    if (gradients.isNeeded(clamp.getMax()))
      gradients.add(clamp.getMax(), dy.where(above));
    return success();
  }
};

// y = atan2(a, b): da = dy b / (a^2 + b^2), db = -dy a / (a^2 + b^2); both are
// 0 at the origin.
struct Atan2Model
    : GradientOpInterface::ExternalModel<Atan2Model, math::Atan2Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto atan2 = cast<math::Atan2Op>(op);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression a = expression(atan2.getLhs());
    Expression b = expression(atan2.getRhs());
    Expression square = a * a + b * b;
    Expression dy = expression(gradients.of(atan2.getResult())) / square;
    dy = dy.unless(square.compare(Predicate::OEQ, square.like(0.0)));
    gradients.add(atan2.getLhs(), dy * b);
    gradients.add(atan2.getRhs(), -(dy * a));
    return success();
  }
};

// y = |a| with the sign of b: the gradient of a changes its sign where a does
// and is 0 at a = 0; b has none.
struct CopySignModel
    : GradientOpInterface::ExternalModel<CopySignModel, math::CopySignOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression a = expression(op->getOperand(0));
    Expression y = expression(op->getResult(0));
    Expression ratio = (y / a).unless(a.compare(Predicate::OEQ, a.like(0.0)));
    gradients.add(op->getOperand(0),
                  expression(gradients.of(op->getResult(0))) * ratio);
    return success();
  }
};

// Step functions have no gradient. A weight that is rounded on its way to the
// loss would not be trained, so the user gets a warning.
template <typename Op>
struct StepModel : GradientOpInterface::ExternalModel<StepModel<Op>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &, Gradients &) const {
    op->emitWarning()
        << "'" << op->getName()
        << "' has the gradient 0 everywhere, so nothing before it is trained "
           "through it; wrap it in "
           "qat.straight_through to pass its gradient on unchanged";
    return success();
  }
};

// y = a*b + c
struct FmaModel : GradientOpInterface::ExternalModel<FmaModel, math::FmaOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto fma = cast<math::FmaOp>(op);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression dy = expression(gradients.of(fma.getResult()));
    if (gradients.isNeeded(fma.getA()))
      gradients.add(fma.getA(), dy * expression(fma.getB()));
    if (gradients.isNeeded(fma.getB()))
      gradients.add(fma.getB(), dy * expression(fma.getA()));
    gradients.add(fma.getC(), dy);
    return success();
  }
};

using E = Expression;
E expD(E, E y) { return y; }
E exp2D(E, E y) { return y * std::numbers::ln2; }
E expm1D(E, E y) { return y + 1.0; }
E logD(E x, E) { return 1.0 / x; }
E log1pD(E x, E) { return 1.0 / (x + 1.0); }
E log2D(E x, E) { return std::numbers::log2e / x; }
E log10D(E x, E) { return std::numbers::log10e / x; }
E sqrtD(E, E y) { return 0.5 / y; }
E rsqrtD(E x, E y) { return -(y * 0.5) / x; }
E cbrtD(E, E y) { return (1.0 / 3.0) / (y * y); }
E tanhD(E, E y) { return 1.0 - y * y; }
E sinD(E x, E) { return x.unary<math::CosOp>(); }
E cosD(E x, E) { return -x.unary<math::SinOp>(); }
E tanD(E, E y) { return y * y + 1.0; }
E sinhD(E x, E) { return x.unary<math::CoshOp>(); }
E coshD(E x, E) { return x.unary<math::SinhOp>(); }
E atanD(E x, E) { return 1.0 / (x * x + 1.0); }
E acosD(E x, E) { return -(1.0 - x * x).unary<math::RsqrtOp>(); }
E asinD(E x, E) { return (1.0 - x * x).unary<math::RsqrtOp>(); }
E acoshD(E x, E) { return (x * x - 1.0).unary<math::RsqrtOp>(); }
E asinhD(E x, E) { return (x * x + 1.0).unary<math::RsqrtOp>(); }
E atanhD(E x, E) { return 1.0 / (1.0 - x * x); }
E erfcD(E x, E) {
  return (-(x * x)).unary<math::ExpOp>() * (-2.0 * std::numbers::inv_sqrtpi);
}
E erfD(E x, E) {
  return (-(x * x)).unary<math::ExpOp>() * (2.0 * std::numbers::inv_sqrtpi);
}
// The sign of x, with 0 at 0.
E absD(E x, E) {
  return x.like(1.0).where(x.compare(Predicate::OGT, x.like(0.0))) -
         x.like(1.0).where(x.compare(Predicate::OLT, x.like(0.0)));
}

} // namespace

void nibble::registerMathGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, math::MathDialect *) {
    attach<math::ExpOp, expD>(context);
    attach<math::Exp2Op, exp2D>(context);
    attach<math::ExpM1Op, expm1D>(context);
    attach<math::LogOp, logD>(context);
    attach<math::Log1pOp, log1pD>(context);
    attach<math::Log2Op, log2D>(context);
    attach<math::Log10Op, log10D>(context);
    attach<math::SqrtOp, sqrtD>(context);
    attach<math::RsqrtOp, rsqrtD>(context);
    attach<math::CbrtOp, cbrtD>(context);
    attach<math::TanhOp, tanhD>(context);
    attach<math::SinOp, sinD>(context);
    attach<math::CosOp, cosD>(context);
    attach<math::TanOp, tanD>(context);
    attach<math::SinhOp, sinhD>(context);
    attach<math::CoshOp, coshD>(context);
    attach<math::AtanOp, atanD>(context);
    attach<math::ErfOp, erfD>(context);
    attach<math::ErfcOp, erfcD>(context);
    attach<math::AcosOp, acosD>(context);
    attach<math::AsinOp, asinD>(context);
    attach<math::AcoshOp, acoshD>(context);
    attach<math::AsinhOp, asinhD>(context);
    attach<math::AtanhOp, atanhD>(context);
    attach<math::AbsFOp, absD>(context);
    math::FPowIOp::attachInterface<IntegerPowModel>(*context);
    math::ClampFOp::attachInterface<ClampModel>(*context);
    math::Atan2Op::attachInterface<Atan2Model>(*context);
    math::CopySignOp::attachInterface<CopySignModel>(*context);
    math::FloorOp::attachInterface<StepModel<math::FloorOp>>(*context);
    math::CeilOp::attachInterface<StepModel<math::CeilOp>>(*context);
    math::RoundOp::attachInterface<StepModel<math::RoundOp>>(*context);
    math::RoundEvenOp::attachInterface<StepModel<math::RoundEvenOp>>(*context);
    math::TruncOp::attachInterface<StepModel<math::TruncOp>>(*context);
    math::PowFOp::attachInterface<PowModel>(*context);
    math::FmaOp::attachInterface<FmaModel>(*context);
  });
}
