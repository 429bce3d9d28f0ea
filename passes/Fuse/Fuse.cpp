// nibble-fuse: moves packed weights and additions into linears, without
// changing a bit.
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/Fuse/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-fuse"

ALWAYS_ENABLED_STATISTIC(NumPackedReads, "linears that read a packed weight");
ALWAYS_ENABLED_STATISTIC(NumAdditions, "additions that linears do themselves");

namespace nibble {
#define GEN_PASS_DEF_FUSEPASS
#include "passes/Fuse/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// Overrides on a linear, such as hopper.splits, also hold for the op that
// replaces it.
template <typename LinearOp>
void replaceKeepingAttributes(PatternRewriter &rewriter, Operation *op,
                              Operation *linear, LinearOp fused) {
  fused->setDiscardableAttrs(linear->getDiscardableAttrDictionary());
  rewriter.replaceOp(op, fused);
}

class ReadPackedWeightInLinear final : public OpRewritePattern<nn::LinearOp> {
public:
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::LinearOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getWeight().getDefiningOp<qat::DequantizeOp>();
    if (!dequantize)
      return rewriter.notifyMatchFailure(op,
                                         "the weight is not dequantized here");
    replaceKeepingAttributes(
        rewriter, op, op,
        qat::LinearOp::create(rewriter, op.getLoc(), op.getY().getType(),
                              op.getX(), dequantize.getPacked(), op.getBias(),
                              op.getResidual()));
    ++NumPackedReads;
    return success();
  }
};

class ReadPackedWeightInLinearInputGrad final
    : public OpRewritePattern<nn::LinearInputGradOp> {
public:
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::LinearInputGradOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getWeight().getDefiningOp<qat::DequantizeOp>();
    if (!dequantize)
      return rewriter.notifyMatchFailure(op,
                                         "the weight is not dequantized here");
    replaceKeepingAttributes(rewriter, op, op,
                             qat::LinearInputGradOp::create(
                                 rewriter, op.getLoc(), op.getDx().getType(),
                                 op.getDy(), dequantize.getPacked()));
    ++NumPackedReads;
    return success();
  }
};

// N6: a decoded weight is on its grid already.
class DropFakeQuantOfDequantized final
    : public OpRewritePattern<qat::FakeQuantOp> {
public:
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(qat::FakeQuantOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getWeight().getDefiningOp<qat::DequantizeOp>();
    if (!dequantize)
      return rewriter.notifyMatchFailure(op,
                                         "the weight is not dequantized here");
    qat::SchemeAttr scheme = op.getScheme();
    if (cast<qat::PackedType>(dequantize.getPacked().getType()).getScheme() !=
        scheme)
      return rewriter.notifyMatchFailure(
          op, "the packed weight has another scheme");
    if (!scheme.isFixedPoint())
      return rewriter.notifyMatchFailure(op, "N6 is not shown for the scheme");
    rewriter.replaceOp(op, dequantize.getWeight());
    return success();
  }
};

// The operand of the addition that is a linear without other users. `other`
// becomes the other operand.
template <typename LinearOp>
LinearOp linearAddedTo(arith::AddFOp add, Value &other) {
  // If both are linears take the later: a residual is usually written first.
  for (unsigned i : {1, 0}) {
    auto linear = add->getOperand(i).getDefiningOp<LinearOp>();
    if (!linear || !linear->hasOneUse() || linear.getResidual() ||
        linear->getBlock() != add->getBlock())
      continue;
    other = add->getOperand(1 - i);
    return linear;
  }
  return {};
}

// Both forms compute y = E(E(sum) + residual), and float32 addition commutes
// bit for bit. The new linear replaces the addition, so it comes after the
// definition of the residual.
template <typename LinearOp>
class AddResidualInLinear final : public OpRewritePattern<arith::AddFOp> {
public:
  using OpRewritePattern<arith::AddFOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getFastmath() != arith::FastMathFlags::none)
      return rewriter.notifyMatchFailure(op,
                                         "fast-math says nothing about bits");
    Value residual;
    LinearOp linear = linearAddedTo<LinearOp>(op, residual);
    if (!linear)
      return rewriter.notifyMatchFailure(
          op, "neither operand is a linear of this block without residual "
              "whose only use this is");
    if (linear.getY().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "the addition is of another type");
    if (residual.getDefiningOp<linalg::BroadcastOp>())
      return rewriter.notifyMatchFailure(op, "the other operand is a bias");
    replaceKeepingAttributes(
        rewriter, op, linear,
        LinearOp::create(rewriter, op.getLoc(), op.getType(), linear.getX(),
                         linear->getOperand(1), linear.getBias(), residual));
    rewriter.eraseOp(linear);
    ++NumAdditions;
    return success();
  }
};

// Moves a vector that is added to every row into the linear.
class AddBiasInLinear final : public OpRewritePattern<arith::AddFOp> {
public:
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getFastmath() != arith::FastMathFlags::none)
      return rewriter.notifyMatchFailure(op,
                                         "fast-math says nothing about bits");
    Value other;
    auto linear = linearAddedTo<nn::LinearOp>(op, other);
    if (!linear || linear.getBias())
      return rewriter.notifyMatchFailure(
          op, "neither operand is a linear of this block without bias whose "
              "only use this is");
    auto broadcast = other.getDefiningOp<linalg::BroadcastOp>();
    if (!broadcast || broadcast.getDimensions() != ArrayRef<int64_t>{0})
      return rewriter.notifyMatchFailure(
          op, "the other operand is not one vector for every row");
    Value bias = broadcast.getInput();
    if (cast<ShapedType>(bias.getType()).getRank() != 1 ||
        linear.getY().getType() != op.getType())
      return rewriter.notifyMatchFailure(
          op, "the bias is no vector of the linear's element type");
    replaceKeepingAttributes(
        rewriter, op, linear,
        nn::LinearOp::create(rewriter, op.getLoc(), op.getType(), linear.getX(),
                             linear.getWeight(), bias, Value()));
    rewriter.eraseOp(linear);
    ++NumAdditions;
    return success();
  }
};

class FusePass final : public nibble::impl::FusePassBase<FusePass> {
public:
  using FusePassBase::FusePassBase;

  void runOnOperation() override {
    // First merge equal ops: otherwise a linear with two uses could look like
    // two linears with one use each.
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());

    RewritePatternSet patterns(&getContext());
    patterns.add<ReadPackedWeightInLinear, ReadPackedWeightInLinearInputGrad,
                 DropFakeQuantOfDequantized, AddBiasInLinear,
                 AddResidualInLinear<nn::LinearOp>,
                 AddResidualInLinear<qat::LinearOp>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation().emitError(
          "nibble-fuse: the patterns do not come to an end");
      signalPassFailure();
    }
  }
};

} // namespace
