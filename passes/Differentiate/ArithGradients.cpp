// Gradient rules of arith, on scalars and tensors: one line an operand.
#include "passes/Differentiate/Expression.h"
#include "passes/Differentiate/GradientOpInterface.h"

using namespace mlir;
using namespace nibble;

namespace {

using Predicate = arith::CmpFPredicate;

// What a binary rule sees: operands, result and the result's gradient, all in float32 (or float64).
struct Binary {
  Expression a, b, y, dy;
};

// da and db, each built only where it is needed.
struct Sides {
  Expression (*left)(const Binary &);
  Expression (*right)(const Binary &);
};

constexpr Sides kAdd = {[](const Binary &v) { return v.dy; }, [](const Binary &v) { return v.dy; }};
constexpr Sides kSubtract = {[](const Binary &v) { return v.dy; }, [](const Binary &v) { return -v.dy; }};
constexpr Sides kMultiply = {[](const Binary &v) { return v.dy * v.b; }, [](const Binary &v) { return v.dy * v.a; }};
constexpr Sides kDivide = {[](const Binary &v) { return v.dy / v.b; },
                           [](const Binary &v) { return -(v.dy * v.y) / v.b; }};
// On a tie the left operand has all of it, so that clamping at the value itself keeps the gradient.
constexpr Sides kMaximum = {[](const Binary &v) { return v.dy.where(v.a.compare(Predicate::OGE, v.b)); },
                            [](const Binary &v) { return v.dy.unless(v.a.compare(Predicate::OGE, v.b)); }};
constexpr Sides kMinimum = {[](const Binary &v) { return v.dy.where(v.a.compare(Predicate::OLE, v.b)); },
                            [](const Binary &v) { return v.dy.unless(v.a.compare(Predicate::OLE, v.b)); }};

template <typename Op, const Sides &sides>
struct BinaryModel : GradientOpInterface::ExternalModel<BinaryModel<Op, sides>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    Location loc = op->getLoc();
    Value a = op->getOperand(0), b = op->getOperand(1), y = op->getResult(0);
    auto expression = [&](Value value) { return Expression(builder, loc, wide(builder, loc, value)); };
    Binary values = {expression(a), expression(b), expression(y), expression(gradients.of(y))};
    if (gradients.isNeeded(a))
      gradients.add(a, sides.left(values));
    if (gradients.isNeeded(b))
      gradients.add(b, sides.right(values));
    return success();
  }
};

struct NegateModel : GradientOpInterface::ExternalModel<NegateModel, arith::NegFOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    gradients.add(op->getOperand(0), -Expression(builder, op->getLoc(), gradients.of(op->getResult(0))));
    return success();
  }
};

// extf and truncf: the gradient changes its type as the value did, back.
template <typename Op> struct ConvertModel : GradientOpInterface::ExternalModel<ConvertModel<Op>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &, Gradients &gradients) const {
    gradients.add(op->getOperand(0), gradients.of(op->getResult(0)));
    return success();
  }
};

struct SelectModel : GradientOpInterface::ExternalModel<SelectModel, arith::SelectOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    auto select = cast<arith::SelectOp>(op);
    Expression dy(builder, op->getLoc(), gradients.of(select.getResult()));
    if (gradients.isNeeded(select.getTrueValue()))
      gradients.add(select.getTrueValue(), dy.where(select.getCondition()));
    if (gradients.isNeeded(select.getFalseValue()))
      gradients.add(select.getFalseValue(), dy.unless(select.getCondition()));
    return success();
  }
};

} // namespace

void nibble::registerArithGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *) {
    arith::AddFOp::attachInterface<BinaryModel<arith::AddFOp, kAdd>>(*context);
    arith::SubFOp::attachInterface<BinaryModel<arith::SubFOp, kSubtract>>(*context);
    arith::MulFOp::attachInterface<BinaryModel<arith::MulFOp, kMultiply>>(*context);
    arith::DivFOp::attachInterface<BinaryModel<arith::DivFOp, kDivide>>(*context);
    arith::MaximumFOp::attachInterface<BinaryModel<arith::MaximumFOp, kMaximum>>(*context);
    arith::MinimumFOp::attachInterface<BinaryModel<arith::MinimumFOp, kMinimum>>(*context);
    arith::MaxNumFOp::attachInterface<BinaryModel<arith::MaxNumFOp, kMaximum>>(*context);
    arith::MinNumFOp::attachInterface<BinaryModel<arith::MinNumFOp, kMinimum>>(*context);
    arith::NegFOp::attachInterface<NegateModel>(*context);
    arith::ExtFOp::attachInterface<ConvertModel<arith::ExtFOp>>(*context);
    arith::TruncFOp::attachInterface<ConvertModel<arith::TruncFOp>>(*context);
    arith::SelectOp::attachInterface<SelectModel>(*context);
  });
}
