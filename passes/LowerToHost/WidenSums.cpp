// nibble-widen-sums: accumulates sums of linalg on buffers in float64.
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-widen-sums"

ALWAYS_ENABLED_STATISTIC(NumWidened, "sums that grow in float64");

namespace nibble {
#define GEN_PASS_DEF_WIDENSUMSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// The addition to the output's value; null when the body uses that value in any
// other way.
arith::AddFOp additionTo(linalg::LinalgOp op, OpOperand &output) {
  auto add =
      op.getMatchingYieldValue(&output)->get().getDefiningOp<arith::AddFOp>();
  BlockArgument sum = op.getMatchingBlockArgument(&output);
  Type type = sum.getType();
  bool isNarrow = type.isF32() || type.isBF16() || type.isF16();
  bool isSum = add && isNarrow && add->getBlock() == op.getBlock() &&
               add->hasOneUse() && sum.hasOneUse() &&
               (add.getLhs() == sum || add.getRhs() == sum);
  return isSum ? add : arith::AddFOp();
}

// bf16 and float16 are widened through float32, which is exact.
Value widened(OpBuilder &b, Location loc, Value narrow) {
  if (!narrow.getType().isF32())
    narrow = arith::ExtFOp::create(b, loc, b.getF32Type(), narrow);
  return arith::ExtFOp::create(b, loc, b.getF64Type(), narrow);
}

void convertElements(
    OpBuilder &b, Location loc, Value from, Value to,
    function_ref<Value(OpBuilder &, Location, Value)> convert) {
  int64_t rank = cast<MemRefType>(from.getType()).getRank();
  SmallVector<AffineMap> maps(
      2, b.getMultiDimIdentityMap(static_cast<unsigned>(rank)));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  linalg::GenericOp::create(b, loc, from, to, maps, loops,
                            [&](OpBuilder &b, Location loc, ValueRange values) {
                              linalg::YieldOp::create(
                                  b, loc, convert(b, loc, values[0]));
                            });
}

Value wideBuffer(OpBuilder &b, Location loc, Value narrow) {
  auto type = cast<MemRefType>(narrow.getType());
  SmallVector<Value> extents;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      extents.push_back(memref::DimOp::create(b, loc, narrow, dim));
  return memref::AllocOp::create(
      b, loc, MemRefType::get(type.getShape(), b.getF64Type()), extents);
}

class WidenSum final : public OpInterfaceRewritePattern<linalg::LinalgOp> {
public:
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || op.getNumReductionLoops() == 0)
      return rewriter.notifyMatchFailure(op, "no reduction over buffers");
    bool sums = llvm::any_of(op.getDpsInitsMutable(), [&](OpOperand &output) {
      return additionTo(op, output);
    });
    if (!sums)
      return rewriter.notifyMatchFailure(op, "no sum of a type below float64");
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic) {
      FailureOr<linalg::GenericOp> generalized =
          linalg::generalizeNamedOp(rewriter, op);
      if (failed(generalized))
        return rewriter.notifyMatchFailure(op, "has no generic form");
      generic = *generalized;
    }
    for (OpOperand &output : generic.getDpsInitsMutable())
      if (arith::AddFOp add = additionTo(generic, output))
        widen(generic, output, add, rewriter);
    return success();
  }

private:
  static void widen(linalg::GenericOp op, OpOperand &output, arith::AddFOp add,
                    PatternRewriter &rewriter) {
    Location loc = op.getLoc();
    Value narrow = output.get();
    BlockArgument sum = op.getMatchingBlockArgument(&output);
    Type type = sum.getType();
    rewriter.setInsertionPoint(op);
    Value wide = wideBuffer(rewriter, loc, narrow);
    convertElements(rewriter, loc, narrow, wide, widened);
    rewriter.setInsertionPoint(add);
    Value term = widened(rewriter, loc,
                         add.getLhs() == sum ? add.getRhs() : add.getLhs());
    rewriter.modifyOpInPlace(op, [&] {
      output.set(wide);
      sum.setType(rewriter.getF64Type());
    });
    rewriter.replaceOpWithNewOp<arith::AddFOp>(add, sum, term);
    rewriter.setInsertionPointAfter(op);
    convertElements(rewriter, loc, wide, narrow,
                    [type](OpBuilder &b, Location loc, Value value) -> Value {
                      return arith::TruncFOp::create(b, loc, type, value);
                    });
    memref::DeallocOp::create(rewriter, loc, wide);
    ++NumWidened;
  }
};

class WidenSums final : public nibble::impl::WidenSumsPassBase<WidenSums> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<WidenSum>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
