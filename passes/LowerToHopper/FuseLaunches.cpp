// nibble-fuse-launches: fuses neighbouring ops of a layer into one kernel,
// without changing a bit.
#include "passes/LowerToHopper/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-fuse-launches"

ALWAYS_ENABLED_STATISTIC(
    NumCacheWrites, "writes to the cache that rotate queries and keys as well");
ALWAYS_ENABLED_STATISTIC(NumLinears,
                         "pairs of linears that became one with their SwiGLU");

namespace nibble {
#define GEN_PASS_DEF_FUSELAUNCHESPASS
#include "passes/LowerToHopper/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// The rotation before `user` in its block that makes `x`, if `x` has no other
// reader; null otherwise.
nn::RopeOp rotationBefore(Value x, Operation *user) {
  auto rope = x.getDefiningOp<nn::RopeOp>();
  if (!rope || rope.getInverse() || !rope->hasOneUse() ||
      rope->getBlock() != user->getBlock() || !rope->isBeforeInBlock(user))
    return {};
  return rope;
}

// The norm of single heads of `size` elements that makes `x`, if `x` has no
// other reader.
nn::RMSNormOp normOfHeads(Value x, int64_t size) {
  auto norm = x.getDefiningOp<nn::RMSNormOp>();
  if (!norm || !norm->hasOneUse() ||
      cast<ShapedType>(norm.getWeight().getType()).getDimSize(0) != size)
    return {};
  return norm;
}

nn::PagedAttentionOp attentionOver(nn::CacheWriteOp write) {
  for (Operation *user : write.getNewKeyCache().getUsers())
    if (auto attention = dyn_cast<nn::PagedAttentionOp>(user))
      return attention;
  return {};
}

// The fused op replaces the cache write. Its operands are defined before one of
// the rotations, and so before the write. Its rotated queries are read after
// the write.
class RotateIntoCache final : public OpRewritePattern<nn::CacheWriteOp> {
public:
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::CacheWriteOp op,
                                PatternRewriter &rewriter) const override {
    nn::PagedAttentionOp attention = attentionOver(op);
    if (!attention)
      return rewriter.notifyMatchFailure(op,
                                         "nothing attends to what it writes");
    nn::RopeOp queries = rotationBefore(attention.getQ(), op);
    nn::RopeOp keys = rotationBefore(op.getK(), op);
    if (!queries || !keys)
      return rewriter.notifyMatchFailure(
          op, "queries and keys are not both rotated here, before the write "
              "and for nothing else");
    if (queries.getCos() != keys.getCos() || queries.getSin() != keys.getSin())
      return rewriter.notifyMatchFailure(
          op, "queries and keys are rotated by different angles");
    int64_t size = cast<ShapedType>(op.getKeyCache().getType()).getDimSize(2);
    if (cast<ShapedType>(keys.getCos().getType()).getDimSize(1) * 2 != size)
      return rewriter.notifyMatchFailure(
          op, "what is rotated is not a head of the cache");

    Value q = queries.getX();
    Value k = keys.getX();
    SmallVector<Value> weights;
    FloatAttr epsilon = rewriter.getF32FloatAttr(0);
    nn::RMSNormOp queryNorm = normOfHeads(q, size);
    nn::RMSNormOp keyNorm = normOfHeads(k, size);
    bool normed = queryNorm && keyNorm &&
                  queryNorm.getEpsilonAttr() == keyNorm.getEpsilonAttr();
    if (normed) {
      q = queryNorm.getX();
      k = keyNorm.getX();
      weights = {queryNorm.getWeight(), keyNorm.getWeight()};
      epsilon = queryNorm.getEpsilonAttr();
    }
    auto fused = nn::RopeCacheWriteOp::create(
        rewriter, op.getLoc(), q.getType(), op.getKeyCache().getType(),
        op.getValueCache().getType(), q, k, op.getV(), keys.getCos(),
        keys.getSin(), op.getPositions(), op.getSequences(), op.getPages(),
        op.getKeyCache(), op.getValueCache(), weights, epsilon);
    rewriter.replaceAllUsesWith(queries.getY(), fused.getRotated());
    rewriter.replaceOp(op, {fused.getNewKeyCache(), fused.getNewValueCache()});
    ++NumCacheWrites;
    for (Operation *done : {queries.getOperation(), keys.getOperation()})
      rewriter.eraseOp(done);
    if (normed) {
      rewriter.eraseOp(queryNorm);
      rewriter.eraseOp(keyNorm);
    }
    return success();
  }
};

// Gate and up may have no other readers. The linears' attributes decide bits,
// so the fused op takes them over.
template <typename LinearOp, typename FusedOp>
class ActivateInLinear final : public OpRewritePattern<nn::SwigluOp> {
public:
  using OpRewritePattern<nn::SwigluOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::SwigluOp op,
                                PatternRewriter &rewriter) const override {
    auto gate = op.getGate().getDefiningOp<LinearOp>();
    auto up = op.getUp().getDefiningOp<LinearOp>();
    if (!gate || !up || !gate->hasOneUse() || !up->hasOneUse())
      return rewriter.notifyMatchFailure(
          op,
          "gate and up are not linears of this kind that nobody else reads");
    for (LinearOp linear : {gate, up})
      if (linear.getBias() || linear.getResidual())
        return rewriter.notifyMatchFailure(
            op, "a linear adds a bias or a residual");
    if (gate.getX() != up.getX() ||
        gate->getOperand(1).getType() != up->getOperand(1).getType())
      return rewriter.notifyMatchFailure(
          op, "the linears have other rows or weights of another type");
    if (gate->getDiscardableAttrDictionary() !=
        up->getDiscardableAttrDictionary())
      return rewriter.notifyMatchFailure(
          op, "the linears have different attributes");
    auto fused =
        FusedOp::create(rewriter, op.getLoc(), op.getY().getType(), gate.getX(),
                        gate->getOperand(1), up->getOperand(1));
    fused->setDiscardableAttrs(gate->getDiscardableAttrDictionary());
    rewriter.replaceOp(op, fused);
    rewriter.eraseOp(gate);
    rewriter.eraseOp(up);
    ++NumLinears;
    return success();
  }
};

class FusePass final : public nibble::impl::FuseLaunchesPassBase<FusePass> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RotateIntoCache,
                 ActivateInLinear<nn::LinearOp, nn::LinearSwigluOp>,
                 ActivateInLinear<qat::LinearOp, qat::LinearSwigluOp>>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation().emitError(
          "nibble-fuse-launches: the patterns do not come to an end");
      signalPassFailure();
    }
  }
};

} // namespace
