// nibble-move-as-integers: turns loads and stores of bf16, masked or not, into
// ones of sixteen-bit integers.
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-move-as-integers"

ALWAYS_ENABLED_STATISTIC(NumMoved,
                         "loads and stores of bf16 that move integers");

namespace nibble {
#define GEN_PASS_DEF_MOVEASINTEGERSPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

bool isBf16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

Type asIntegers(Type type) {
  Type integer = IntegerType::get(type.getContext(), 16);
  auto vector = dyn_cast<VectorType>(type);
  return vector ? vector.clone(integer) : integer;
}

class LoadIntegers final : public OpRewritePattern<LLVM::LoadOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::LoadOp op,
                                PatternRewriter &rewriter) const override {
    if (!isBf16(op.getType()))
      return rewriter.notifyMatchFailure(op, "not of bf16");
    rewriter.setInsertionPointAfter(op);
    Type type = op.getType();
    auto bits =
        LLVM::BitcastOp::create(rewriter, op.getLoc(), type, op.getResult());
    rewriter.modifyOpInPlace(op,
                             [&] { op.getResult().setType(asIntegers(type)); });
    rewriter.replaceAllUsesExcept(op.getResult(), bits, bits);
    ++NumMoved;
    return success();
  }
};

class StoreIntegers final : public OpRewritePattern<LLVM::StoreOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::StoreOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getValue().getType();
    if (!isBf16(type))
      return rewriter.notifyMatchFailure(op, "not of bf16");
    Value bits = LLVM::BitcastOp::create(rewriter, op.getLoc(),
                                         asIntegers(type), op.getValue());
    rewriter.modifyOpInPlace(op, [&] { op.getValueMutable().assign(bits); });
    ++NumMoved;
    return success();
  }
};

class LoadMaskedIntegers final : public OpRewritePattern<LLVM::MaskedLoadOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::MaskedLoadOp op,
                                PatternRewriter &rewriter) const override {
    if (!isBf16(op.getType()))
      return rewriter.notifyMatchFailure(op, "not of bf16");
    Type type = asIntegers(op.getType());
    Value otherwise = op.getPassThru();
    if (otherwise)
      otherwise =
          LLVM::BitcastOp::create(rewriter, op.getLoc(), type, otherwise);
    Value loaded = LLVM::MaskedLoadOp::create(
        rewriter, op.getLoc(), type, op.getData(), op.getMask(), otherwise,
        op.getAlignmentAttr(), op.getNontemporalAttr());
    rewriter.replaceOpWithNewOp<LLVM::BitcastOp>(op, op.getType(), loaded);
    ++NumMoved;
    return success();
  }
};

class StoreMaskedIntegers final : public OpRewritePattern<LLVM::MaskedStoreOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LLVM::MaskedStoreOp op,
                                PatternRewriter &rewriter) const override {
    if (!isBf16(op.getValue().getType()))
      return rewriter.notifyMatchFailure(op, "not of bf16");
    Type type = asIntegers(op.getValue().getType());
    Value bits =
        LLVM::BitcastOp::create(rewriter, op.getLoc(), type, op.getValue());
    rewriter.replaceOpWithNewOp<LLVM::MaskedStoreOp>(
        op, bits, op.getData(), op.getMask(), op.getAlignmentAttr());
    ++NumMoved;
    return success();
  }
};

class MoveAsIntegers final
    : public nibble::impl::MoveAsIntegersPassBase<MoveAsIntegers> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LoadIntegers, StoreIntegers, LoadMaskedIntegers,
                 StoreMaskedIntegers>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
