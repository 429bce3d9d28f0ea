// Gradient rules of math, on scalars and tensors: the derivative of each function, one line each.
#include "passes/Differentiate/Expression.h"
#include "passes/Differentiate/GradientOpInterface.h"

#include <numbers>

using namespace mlir;
using namespace nibble;

namespace {

using Predicate = arith::CmpFPredicate;

// dy/dx from x and y, in float32 (or float64).
using Derivative = Expression (*)(Expression x, Expression y);

template <typename Op, Derivative derivative>
struct UnaryModel : GradientOpInterface::ExternalModel<UnaryModel<Op, derivative>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    Location loc = op->getLoc();
    Value x = op->getOperand(0), y = op->getResult(0);
    auto expression = [&](Value value) { return Expression(builder, loc, wide(builder, loc, value)); };
    gradients.add(x, expression(gradients.of(y)) * derivative(expression(x), expression(y)));
    return success();
  }
};

template <typename Op, Derivative derivative> void attach(MLIRContext *context) {
  Op::template attachInterface<UnaryModel<Op, derivative>>(*context);
}

// y = a^b: da = dy b a^(b-1), db = dy y log(a).
struct PowModel : GradientOpInterface::ExternalModel<PowModel, math::PowFOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    Location loc = op->getLoc();
    auto power = cast<math::PowFOp>(op);
    auto expression = [&](Value value) { return Expression(builder, loc, wide(builder, loc, value)); };
    Expression a = expression(power.getLhs()), b = expression(power.getRhs()), y = expression(power.getResult());
    Expression dy = expression(gradients.of(power.getResult()));
    if (gradients.isNeeded(power.getLhs()))
      gradients.add(power.getLhs(), dy * (b * a.make<math::PowFOp>(b - 1.0)));
    if (gradients.isNeeded(power.getRhs()))
      gradients.add(power.getRhs(), dy * (y * a.unary<math::LogOp>()));
    return success();
  }
};

// y = a*b + c
struct FmaModel : GradientOpInterface::ExternalModel<FmaModel, math::FmaOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    Location loc = op->getLoc();
    auto fma = cast<math::FmaOp>(op);
    auto expression = [&](Value value) { return Expression(builder, loc, wide(builder, loc, value)); };
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
E erfD(E x, E) { return (-(x * x)).unary<math::ExpOp>() * (2.0 * std::numbers::inv_sqrtpi); }
// The sign of x, 0 at 0.
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
    attach<math::AbsFOp, absD>(context);
    math::PowFOp::attachInterface<PowModel>(*context);
    math::FmaOp::attachInterface<FmaModel>(*context);
  });
}
