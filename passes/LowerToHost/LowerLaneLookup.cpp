// nibble-lower-lane-lookup: lowers host.lane_lookup to the CPU's instructions:
// a permute, two permutes and a blend, or extracts.
#include "dialects/Host/Host.h"
#include "passes/LowerToHost/Emit/Emitter.h"
#include "passes/LowerToHost/Linear/LinearWeight.h"
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-lower-lane-lookup"

ALWAYS_ENABLED_STATISTIC(NumLookups,
                         "lookups that became instructions of the CPU");

namespace nibble {
#define GEN_PASS_DEF_LOWERLANELOOKUPPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::host;

namespace {

Value callPermute(Emitter &b, StringRef intrinsic, Value table, Value index) {
  return LLVM::CallIntrinsicOp::create(b, table.getType(),
                                       b.getStringAttr(intrinsic),
                                       ValueRange{table, index})
      .getResult(0);
}

Value eight(Emitter &b, Value sixteen, int64_t first) {
  return vector::ExtractStridedSliceOp::create(
      b, sixteen, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{8},
      ArrayRef<int64_t>{1});
}

class LowerLookup final : public OpRewritePattern<LaneLookupOp> {
public:
  LowerLookup(MLIRContext *context, int64_t width)
      : OpRewritePattern(context), width_(width) {}

  LogicalResult matchAndRewrite(LaneLookupOp op,
                                PatternRewriter &rewriter) const override {
    Emitter b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, width_ >= 16  ? permute(b, op)
                           : width_ >= 8 ? permuteHalves(b, op)
                                         : extract(b, op));
    ++NumLookups;
    return success();
  }

private:
  // vpermps on 512 bits uses the four low bits of an index.
  static Value permute(Emitter &b, LaneLookupOp op) {
    return callPermute(b, "llvm.x86.avx512.permvar.sf.512", op.getTable(),
                       op.getIndex());
  }

  // vpermps on 256 bits uses the three low bits. It runs once for each half of
  // the table, and bit 3 selects the result.
  static Value permuteHalves(Emitter &b, LaneLookupOp op) {
    Value low = eight(b, op.getTable(), 0);
    Value high = eight(b, op.getTable(), 8);
    SmallVector<Value> halves;
    for (int64_t first : {0, 8}) {
      Value index = eight(b, op.getIndex(), first);
      Value bit = arith::AndIOp::create(b, index, splatInteger(b, 8, 8));
      Value isHigh = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bit,
                                           splatInteger(b, 0, 8));
      halves.push_back(arith::SelectOp::create(
          b, isHigh, callPermute(b, "llvm.x86.avx2.permps", high, index),
          callPermute(b, "llvm.x86.avx2.permps", low, index)));
    }
    SmallVector<int64_t> both;
    for (int64_t i = 0; i < kLanes; ++i)
      both.push_back(i);
    return vector::ShuffleOp::create(b, halves[0], halves[1], both);
  }

  static Value extract(Emitter &b, LaneLookupOp op) {
    Value index =
        arith::AndIOp::create(b, op.getIndex(), splatInteger(b, kLanes - 1));
    Value result = b.lanes(0.0f);
    for (int64_t i = 0; i < kLanes; ++i) {
      Value at = b.toIndex(vector::ExtractOp::create(b, index, i));
      result = vector::InsertOp::create(
          b, vector::ExtractOp::create(b, op.getTable(), at), result, i);
    }
    return result;
  }

  int64_t width_;
};

class LowerLaneLookup final
    : public nibble::impl::LowerLaneLookupPassBase<LowerLaneLookup> {
public:
  void runOnOperation() override {
    FailureOr<TargetAttr> target =
        nibble::kernel::targetOf<TargetAttr>(getOperation());
    if (failed(target))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerLookup>(&getContext(), target->getVectorFloats());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
