// nibble-lower-copies: turns copies of strided memory into loops.
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-lower-copies"

ALWAYS_ENABLED_STATISTIC(NumCopies, "copies that became loops");

namespace nibble {
#define GEN_PASS_DEF_LOWERCOPIESPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class CopyByElement final : public OpRewritePattern<memref::CopyOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(memref::CopyOp op,
                                PatternRewriter &rewriter) const override {
    auto source = dyn_cast<MemRefType>(op.getSource().getType());
    auto target = dyn_cast<MemRefType>(op.getTarget().getType());
    if (!source || !target)
      return rewriter.notifyMatchFailure(
          op, "a buffer of unknown rank has no loops");
    if (source.getLayout().isIdentity() && target.getLayout().isIdentity())
      return rewriter.notifyMatchFailure(
          op, "both buffers are row-major: one call of memcpy moves all");
    AffineMap identity = rewriter.getMultiDimIdentityMap(target.getRank());
    SmallVector<utils::IteratorType> loops(target.getRank(),
                                           utils::IteratorType::parallel);
    linalg::GenericOp::create(
        rewriter, op.getLoc(), op.getSource(), op.getTarget(),
        ArrayRef<AffineMap>{identity, identity}, loops,
        [](OpBuilder &b, Location loc, ValueRange elements) {
          linalg::YieldOp::create(b, loc, elements[0]);
        });
    rewriter.eraseOp(op);
    ++NumCopies;
    return success();
  }
};

class LowerCopies final
    : public nibble::impl::LowerCopiesPassBase<LowerCopies> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<CopyByElement>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
