// Gradient rules of the nn dialect. Most create the op whose description has
// the formula.
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "dialects/NN/NN.h"

using namespace mlir;
using namespace nibble;

namespace {

template <typename Op>
using Rule = LogicalResult (*)(Op, OpBuilder &, Gradients &);

template <typename Op, Rule<Op> rule>
struct Model : GradientOpInterface::ExternalModel<Model<Op, rule>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    return rule(cast<Op>(op), builder, gradients);
  }
};

LogicalResult refuse(Operation *op, StringRef operand) {
  return op->emitOpError() << "has no gradient for its " << operand
                           << ", which depends on what is differentiated";
}

// dtable[tokens[t]] += dy[t]
LogicalResult embedding(nn::EmbeddingOp op, OpBuilder &b, Gradients &g) {
  g.accumulate(op.getTable(), [&](Value init) {
    return nn::EmbeddingGradOp::create(b, op.getLoc(), g.of(op.getY()),
                                       op.getTokens(), init)
        .getDtable();
  });
  return success();
}

LogicalResult rmsNorm(nn::RMSNormOp op, OpBuilder &b, Gradients &g) {
  Value dx;
  auto both = [&](Value init) {
    auto grad =
        nn::RMSNormGradOp::create(b, op.getLoc(), g.of(op.getY()), op.getX(),
                                  op.getWeight(), init, op.getEpsilonAttr());
    dx = grad.getDx();
    return grad.getDweight();
  };
  if (g.isNeeded(op.getWeight()))
    g.accumulate(op.getWeight(), both);
  else
    both(constantLike(b, op.getLoc(), op.getWeight(), b.getF32Type(), 0.0));
  g.add(op.getX(), dx);
  return success();
}

// dx = dy w, dw += dyT x, dbias += sum over tokens of dy, dresidual = dy
LogicalResult linear(nn::LinearOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getY());
  if (op.getResidual())
    g.add(op.getResidual(), dy);
  if (op.getBias())
    g.accumulate(op.getBias(), [&](Value init) {
      return nn::SumTokensOp::create(b, loc, dy, init).getSum();
    });
  g.accumulate(op.getWeight(), [&](Value init) {
    return nn::LinearWeightGradOp::create(b, loc, dy, op.getX(), init)
        .getDweight();
  });
  if (g.isNeeded(op.getX()))
    g.add(op.getX(), nn::LinearInputGradOp::create(b, loc, op.getX().getType(),
                                                   dy, op.getWeight()));
  return success();
}

// A rotation is inverted by its transpose.
LogicalResult rope(nn::RopeOp op, OpBuilder &b, Gradients &g) {
  if (g.isNeeded(op.getCos()) || g.isNeeded(op.getSin()))
    return refuse(op, "rotation");
  g.add(op.getX(),
        nn::RopeOp::create(b, op.getLoc(), g.of(op.getY()), op.getCos(),
                           op.getSin(), !op.getInverse()));
  return success();
}

LogicalResult swiglu(nn::SwigluOp op, OpBuilder &b, Gradients &g) {
  auto grad = nn::SwigluGradOp::create(b, op.getLoc(), g.of(op.getY()),
                                       op.getGate(), op.getUp());
  g.add(op.getGate(), grad.getDgate());
  g.add(op.getUp(), grad.getDup());
  return success();
}

// dx[rows[r]] += dy[r]: the rows of x form a table.
LogicalResult takeRows(nn::TakeRowsOp op, OpBuilder &b, Gradients &g) {
  g.accumulate(op.getX(), [&](Value init) {
    return nn::EmbeddingGradOp::create(b, op.getLoc(), g.of(op.getY()),
                                       op.getRows(), init)
        .getDtable();
  });
  return success();
}

LogicalResult attention(nn::AttentionOp op, OpBuilder &b, Gradients &g) {
  if (g.of(op.getLse()))
    return op.emitOpError() << "has no gradient for its result 'lse'";
  auto grad = nn::AttentionGradOp::create(
      b, op.getLoc(), g.of(op.getY()), op.getQ(), op.getK(), op.getV(),
      op.getY(), op.getLse(), op.getPositions(), op.getSequences(),
      op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(),
      op.getKvBlockAttr(), op.getWindowAttr());
  g.add(op.getQ(), grad.getDq());
  g.add(op.getK(), grad.getDk());
  g.add(op.getV(), grad.getDv());
  return success();
}

LogicalResult logProbability(nn::LogProbabilityOp op, OpBuilder &b,
                             Gradients &g) {
  if (g.of(op.getLse()))
    return op.emitOpError() << "has no gradient for its result 'lse'";
  if (g.isNeeded(op.getTemperature()))
    return refuse(op, "temperature");
  auto orZero = [&](Value result) {
    Value arrived = g.of(result);
    return arrived ? arrived
                   : constantLike(b, op.getLoc(), result, b.getF32Type(), 0.0);
  };
  g.add(op.getLogits(),
        nn::LogProbabilityGradOp::create(
            b, op.getLoc(), orZero(op.getLogp()), orZero(op.getEntropy()),
            op.getLogits(), op.getTargets(), op.getTemperature(), op.getLse(),
            op.getEntropy()));
  return success();
}

LogicalResult sum(nn::SumOp op, OpBuilder &b, Gradients &g) {
  g.add(op.getX(),
        nn::BroadcastOp::create(b, op.getLoc(), g.of(op.getSum()), op.getX()));
  return success();
}

LogicalResult broadcast(nn::BroadcastOp op, OpBuilder &b, Gradients &g) {
  // `like` only provides its extent.
  if (g.isNeeded(op.getX()))
    g.add(op.getX(), nn::SumOp::create(b, op.getLoc(), op.getX().getType(),
                                       g.of(op.getY())));
  return success();
}

} // namespace

void nibble::registerNNGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NNDialect *) {
    nn::EmbeddingOp::attachInterface<Model<nn::EmbeddingOp, embedding>>(
        *context);
    nn::RMSNormOp::attachInterface<Model<nn::RMSNormOp, rmsNorm>>(*context);
    nn::LinearOp::attachInterface<Model<nn::LinearOp, linear>>(*context);
    nn::RopeOp::attachInterface<Model<nn::RopeOp, rope>>(*context);
    nn::SwigluOp::attachInterface<Model<nn::SwigluOp, swiglu>>(*context);
    nn::TakeRowsOp::attachInterface<Model<nn::TakeRowsOp, takeRows>>(*context);
    nn::AttentionOp::attachInterface<Model<nn::AttentionOp, attention>>(
        *context);
    nn::LogProbabilityOp::attachInterface<
        Model<nn::LogProbabilityOp, logProbability>>(*context);
    nn::SumOp::attachInterface<Model<nn::SumOp, sum>>(*context);
    nn::BroadcastOp::attachInterface<Model<nn::BroadcastOp, broadcast>>(
        *context);
  });
}
