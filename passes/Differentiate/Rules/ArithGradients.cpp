// Gradient rules of arith on scalars and tensors, one line per operand.
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

using namespace mlir;
using namespace nibble;

namespace {

using Predicate = arith::CmpFPredicate;

// The inputs of a binary rule: operands, result and the result's gradient, all
// in float32 (or float64).
struct Binary {
  Expression a, b, y, dy;
};

// da and db, each built only when it is needed.
struct Sides {
  Expression (*left)(const Binary &);
  Expression (*right)(const Binary &);
};

constexpr Sides kAdd = {[](const Binary &v) { return v.dy; },
                        [](const Binary &v) { return v.dy; }};
constexpr Sides kSubtract = {[](const Binary &v) { return v.dy; },
                             [](const Binary &v) { return -v.dy; }};
constexpr Sides kMultiply = {[](const Binary &v) { return v.dy * v.b; },
                             [](const Binary &v) { return v.dy * v.a; }};
constexpr Sides kDivide = {[](const Binary &v) { return v.dy / v.b; },
                           [](const Binary &v) { return -(v.dy * v.y) / v.b; }};
// The gradient of a remainder a - trunc(a / b) b, where trunc has none.
constexpr Sides kRemainder = {[](const Binary &v) { return v.dy; },
                              [](const Binary &v) {
                                return -(v.dy *
                                         (v.a / v.b).unary<math::TruncOp>());
                              }};

template <typename Op, const Sides &sides>
struct BinaryModel
    : GradientOpInterface::ExternalModel<BinaryModel<Op, sides>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    Value a = op->getOperand(0);
    Value b = op->getOperand(1);
    Value y = op->getResult(0);
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Binary values = {expression(a), expression(b), expression(y),
                     expression(gradients.of(y))};
    if (gradients.isNeeded(a))
      gradients.add(a, sides.left(values));
    if (gradients.isNeeded(b))
      gradients.add(b, sides.right(values));
    return success();
  }
};

// Gradients of a maximum or minimum. `wins` holds for the winner compared with
// the other operand, and on a tie.
//
// On a tie the rule depends on who needs a gradient. A single operand that
// needs one has all of it, so that a clamp at its bound keeps the gradient. If
// both need one they share it (`shares`), or the left operand has it, as in C's
// fmax.
template <typename Op, Predicate wins, bool shares>
struct ExtremumModel
    : GradientOpInterface::ExternalModel<ExtremumModel<Op, wins, shares>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    Location loc = op->getLoc();
    auto expression = [&](Value value) {
      return Expression(builder, loc, wide(builder, loc, value));
    };
    Expression a = expression(op->getOperand(0));
    Expression b = expression(op->getOperand(1));
    Expression dy = expression(gradients.of(op->getResult(0)));
    bool needsA = gradients.isNeeded(op->getOperand(0));
    bool needsB = gradients.isNeeded(op->getOperand(1));
    if (!needsA) {
      gradients.add(op->getOperand(1), dy.where(b.compare(wins, a)));
      return success();
    }
    Value left = a.compare(wins, b);
    if (!needsB || !shares) {
      gradients.add(op->getOperand(0), dy.where(left));
      gradients.add(op->getOperand(1), dy.unless(left));
      return success();
    }
    Value tie = a.compare(Predicate::OEQ, b);
    Expression half = dy * 0.5;
    gradients.add(op->getOperand(0), dy.where(left).butWhere(tie, half));
    gradients.add(op->getOperand(1), dy.unless(left).butWhere(tie, half));
    return success();
  }
};

struct NegateModel
    : GradientOpInterface::ExternalModel<NegateModel, arith::NegFOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    gradients.add(
        op->getOperand(0),
        -Expression(builder, op->getLoc(), gradients.of(op->getResult(0))));
    return success();
  }
};

// extf and truncf: the gradient is converted back to the operand's type.
template <typename Op>
struct ConvertModel : GradientOpInterface::ExternalModel<ConvertModel<Op>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &,
                               Gradients &gradients) const {
    gradients.add(op->getOperand(0), gradients.of(op->getResult(0)));
    return success();
  }
};

// Whether a select is a maximum or minimum that an exporter wrote as two ops,
// such as select(x > y, x, y). On a tie each side then has half of the
// gradient. This holds when both sides need one. It also holds when x needs
// none, because torch-mlir writes torch.maximum(constant, y) like that. A relu
// or clamp, select(y < low, low, y), is a choice instead: at the bound the
// chosen side has the gradient.
bool sharesTies(arith::SelectOp select, bool needsTrue, bool needsFalse) {
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  if (!compare || !needsFalse)
    return false;
  Value a = compare.getLhs();
  Value b = compare.getRhs();
  Value x = select.getTrueValue();
  Value y = select.getFalseValue();
  Predicate predicate = compare.getPredicate();
  bool ordered = llvm::is_contained(
      {Predicate::OGT, Predicate::OGE, Predicate::OLT, Predicate::OLE},
      predicate);
  bool unordered = llvm::is_contained(
      {Predicate::UGT, Predicate::UGE, Predicate::ULT, Predicate::ULE},
      predicate);
  if (needsTrue)
    return (ordered || unordered) && ((a == x && b == y) || (a == y && b == x));
  return ordered && a == x && b == y;
}

// Each side has the gradient where it was chosen. If both sides of a maximum or
// minimum need a gradient, they share it on a tie.
struct SelectModel
    : GradientOpInterface::ExternalModel<SelectModel, arith::SelectOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    auto select = cast<arith::SelectOp>(op);
    Location loc = op->getLoc();
    Value x = select.getTrueValue();
    Value y = select.getFalseValue();
    Value condition = select.getCondition();
    Expression dy(builder, loc, gradients.of(select.getResult()));
    if (!sharesTies(select, gradients.isNeeded(x), gradients.isNeeded(y))) {
      if (gradients.isNeeded(x))
        gradients.add(x, dy.where(condition));
      if (gradients.isNeeded(y))
        gradients.add(y, dy.unless(condition));
      return success();
    }
    Value tie = Expression(builder, loc, x)
                    .compare(Predicate::OEQ, Expression(builder, loc, y));
    Expression half = dy * 0.5;
    gradients.add(x, dy.where(condition).butWhere(tie, half));
    gradients.add(y, dy.unless(condition).butWhere(tie, half));
    return success();
  }
};

} // namespace

void nibble::registerArithGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::AddFOp::attachInterface<BinaryModel<arith::AddFOp, kAdd>>(*context);
    arith::SubFOp::attachInterface<BinaryModel<arith::SubFOp, kSubtract>>(
        *context);
    arith::MulFOp::attachInterface<BinaryModel<arith::MulFOp, kMultiply>>(
        *context);
    arith::DivFOp::attachInterface<BinaryModel<arith::DivFOp, kDivide>>(
        *context);
    arith::MaximumFOp::attachInterface<
        ExtremumModel<arith::MaximumFOp, Predicate::OGE, /*shares=*/true>>(
        *context);
    arith::MinimumFOp::attachInterface<
        ExtremumModel<arith::MinimumFOp, Predicate::OLE, /*shares=*/true>>(
        *context);
    arith::MaxNumFOp::attachInterface<
        ExtremumModel<arith::MaxNumFOp, Predicate::OGE, /*shares=*/false>>(
        *context);
    arith::MinNumFOp::attachInterface<
        ExtremumModel<arith::MinNumFOp, Predicate::OLE, /*shares=*/false>>(
        *context);
    arith::RemFOp::attachInterface<BinaryModel<arith::RemFOp, kRemainder>>(
        *context);
    arith::NegFOp::attachInterface<NegateModel>(*context);
    arith::ExtFOp::attachInterface<ConvertModel<arith::ExtFOp>>(*context);
    arith::TruncFOp::attachInterface<ConvertModel<arith::TruncFOp>>(*context);
    arith::SelectOp::attachInterface<SelectModel>(*context);
  });
}
