// nibble-round-to-bf16: rounds float32 to bf16 with integers, in a form that
// stays in vector registers.
#include "dialects/ElementType.h"
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-round-to-bf16"

ALWAYS_ENABLED_STATISTIC(NumRounded,
                         "roundings to bf16 that became integer arithmetic");

namespace nibble {
#define GEN_PASS_DEF_ROUNDTOBF16PASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

// As in lib/Numerics/bf16.h: the upper half of bits + 0x7FFF + (bit 16). A NaN
// becomes quiet and keeps its sign and upper payload.
class RoundByIntegers final : public OpRewritePattern<arith::TruncFOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = op.getIn().getType();
    if (!getElementTypeOrSelf(op.getType()).isBF16() ||
        !getElementTypeOrSelf(from).isF32() || isa<TensorType>(from))
      return rewriter.notifyMatchFailure(
          op, "does not round float32 scalars or vectors to bf16");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type wide = nibble::withElement(from, b.getI32Type());
    Type narrow = nibble::withElement(from, b.getI16Type());
    auto constant = [&](int32_t value) -> Value {
      TypedAttr attribute = b.getI32IntegerAttr(value);
      if (auto shaped = dyn_cast<ShapedType>(wide))
        attribute = DenseElementsAttr::get(
            shaped, b.getI32IntegerAttr(value).getValue());
      return arith::ConstantOp::create(b, attribute);
    };
    Value bits = arith::BitcastOp::create(b, wide, op.getIn());
    Value upper = arith::ShRUIOp::create(b, bits, constant(16));
    Value biased = arith::AddIOp::create(b, bits, constant(0x7FFF));
    Value sum = arith::AddIOp::create(
        b, biased, arith::AndIOp::create(b, upper, constant(1)));
    Value rounded = arith::ShRUIOp::create(b, sum, constant(16));
    Value quiet = arith::OrIOp::create(b, upper, constant(0x40));
    Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                        op.getIn(), op.getIn());
    Value half = arith::TruncIOp::create(
        b, narrow, arith::SelectOp::create(b, isNaN, quiet, rounded));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), half);
    ++NumRounded;
    return success();
  }
};

class RoundToBf16 final
    : public nibble::impl::RoundToBf16PassBase<RoundToBf16> {
public:
  void runOnOperation() override {
    keepRoundings();
    RewritePatternSet patterns(&getContext());
    patterns.add<RoundByIntegers>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }

private:
  // The passes that widen bf16 arithmetic mark their casts as contractible. A
  // fold would then remove a rounding together with the widening after it.
  void keepRoundings() {
    getOperation().walk([](arith::ArithFastMathInterface op) {
      arith::FastMathFlagsAttr flags = op.getFastMathFlagsAttr();
      if (!flags || !isa<arith::ExtFOp, arith::TruncFOp>(op.getOperation()))
        return;
      op->removeAttr(op.getFastMathAttrName());
      if (auto left = flags.getValue() & ~arith::FastMathFlags::contract;
          left != arith::FastMathFlags::none)
        op->setAttr(op.getFastMathAttrName(),
                    arith::FastMathFlagsAttr::get(op.getContext(), left));
    });
  }
};

} // namespace
