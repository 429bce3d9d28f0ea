// nibble-decompose-tensors: rewrites tensor ops that have no form on buffers.
#include "passes/Bufferize/Passes.h"

#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-decompose-tensors"

ALWAYS_ENABLED_STATISTIC(
    NumDecomposed, "tensor ops that were rewritten, Winograd transforms aside");

namespace nibble {
#define GEN_PASS_DEF_DECOMPOSETENSORSPASS
#include "passes/Bufferize/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// linalg.softmax and other ops that declare how they decompose.
class DecomposeAggregate final
    : public OpInterfaceRewritePattern<linalg::AggregatedOpInterface> {
public:
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::AggregatedOpInterface op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> values = op.decomposeOperation(rewriter);
    if (failed(values))
      return rewriter.notifyMatchFailure(op, "cannot be decomposed");
    rewriter.replaceOp(op, *values);
    ++NumDecomposed;
    return success();
  }
};

// linalg.pack: pads, splits dimensions into tiles and moves the tiles'
// dimensions to the end. linalg.unpack does the reverse.
class DecomposePack final : public OpRewritePattern<linalg::PackOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::PackOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || failed(linalg::lowerPack(rewriter, op)))
      return rewriter.notifyMatchFailure(op, "cannot be decomposed");
    ++NumDecomposed;
    return success();
  }
};

class DecomposeUnpack final : public OpRewritePattern<linalg::UnPackOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::UnPackOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() ||
        failed(linalg::lowerUnPack(rewriter, op)))
      return rewriter.notifyMatchFailure(op, "cannot be decomposed");
    ++NumDecomposed;
    return success();
  }
};

class BitcastElements final : public OpRewritePattern<tensor::BitcastOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::BitcastOp op,
                                PatternRewriter &rewriter) const override {
    auto from = getElementTypeOrSelf(op.getSource().getType());
    auto to = getElementTypeOrSelf(op.getType());
    auto isPlain = [](Type type) {
      return isa<FloatType>(type) || type.isSignlessInteger();
    };
    if (!isPlain(from) || !isPlain(to))
      return rewriter.notifyMatchFailure(op,
                                         "arith takes no integers with a sign");
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(),
                                                  op.getSource());
    ++NumDecomposed;
    return success();
  }
};

// Gradients exist already, so the op can be replaced by its body.
class InlineStraightThrough final
    : public OpRewritePattern<nibble::qat::StraightThroughOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(nibble::qat::StraightThroughOp op,
                                PatternRewriter &rewriter) const override {
    Block &body = op.getBody().front();
    auto yield = cast<nibble::qat::YieldOp>(body.getTerminator());
    rewriter.inlineBlockBefore(&body, op, op.getInput());
    Value result = yield.getValue();
    rewriter.eraseOp(yield);
    rewriter.replaceOp(op, result);
    ++NumDecomposed;
    return success();
  }
};

class DecomposeTensors final
    : public nibble::impl::DecomposeTensorsPassBase<DecomposeTensors> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DecomposeAggregate, DecomposePack, DecomposeUnpack,
                 BitcastElements, InlineStraightThrough>(&getContext());
    linalg::populateDecomposeWinogradOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
