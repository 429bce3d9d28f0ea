// nibble-expand-elementary: replaces exp and log by our own polynomials, and
// expands what neither LLVM nor a library has.
#include "passes/Kernels/Emitter.h"
#include "passes/LowerToHost/Passes.h"
#include "passes/LowerToHost/ScalarExpansions.h"

#include "mlir/Dialect/Math/Transforms/Approximation.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-expand-elementary"

ALWAYS_ENABLED_STATISTIC(
    NumExpanded, "math.exp and math.log ops that became our polynomials");

namespace nibble {
#define GEN_PASS_DEF_EXPANDELEMENTARYPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::host;

namespace {

// math.exp / math.log of float32, scalar or sixteen lanes, by the polynomials
// of the kernels.
template <typename Op, Value (nibble::kernels::Emitter::*expand)(Value)>
class ExpandWithEmitter final : public OpRewritePattern<Op> {
public:
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32() ||
        isa<TensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not a float32 scalar or vector");
    nibble::kernels::Emitter b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, (b.*expand)(op.getOperand()));
    ++NumExpanded;
    return success();
  }
};

class ExpandElementary final
    : public nibble::impl::ExpandElementaryPassBase<ExpandElementary> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<ExpandWithEmitter<math::ExpOp, &nibble::kernels::Emitter::exp>,
             ExpandWithEmitter<math::LogOp, &nibble::kernels::Emitter::log>>(
            &getContext(), /*benefit=*/2);
    populateScalarExpansions(patterns);
    populateMathPolynomialApproximationPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
