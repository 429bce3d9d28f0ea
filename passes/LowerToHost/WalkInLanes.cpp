// nibble-walk-in-lanes: vectorizes elementwise linalg on buffers in sixteen
// lanes, with rows divided among threads.
#include "passes/LowerToHost/Emit/Emitter.h"
#include "passes/LowerToHost/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-walk-in-lanes"

ALWAYS_ENABLED_STATISTIC(NumWalked,
                         "elementwise ops that became loops over lanes");

namespace nibble {
#define GEN_PASS_DEF_WALKINLANESPASS
#include "passes/LowerToHost/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble::host;

namespace {

// Whether each lane of the vector operation gets the bits of the scalar
// operation.
bool isLanewise(Operation &op) {
  if (op.getNumRegions() != 0 || op.getNumResults() != 1 ||
      !OpTrait::hasElementwiseMappableTraits(&op))
    return false;
  return isa<arith::ArithDialect>(op.getDialect()) ||
         isa<math::ExpOp, math::LogOp, math::SqrtOp, math::FmaOp, math::AbsFOp>(
             op);
}

// How the loop over the last dimension reads an operand: neighbouring elements,
// or one element for all iterations.
enum class Access { kLanes, kSplat, kOther };

// Whether elements of this type can be computed in lanes. A copy allows any
// type that fills its bytes.
bool hasLanes(Type element, bool isCopy) {
  if (isCopy)
    return element.isIntOrFloat() &&
           llvm::is_contained({8u, 16u, 32u, 64u},
                              element.getIntOrFloatBitWidth());
  return element.isF32() || element.isBF16() || element.isInteger(32);
}

bool isCopy(linalg::GenericOp op) {
  return llvm::hasSingleElement(*op.getBody());
}

Access accessOf(linalg::GenericOp op, OpOperand &operand) {
  auto buffer = dyn_cast<MemRefType>(operand.get().getType());
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!buffer || !map.isProjectedPermutation() ||
      !hasLanes(buffer.getElementType(), isCopy(op)))
    return Access::kOther;
  unsigned last = map.getNumDims() - 1;
  if (!map.isFunctionOfDim(last))
    return Access::kSplat;
  bool isLast = map.getResult(map.getNumResults() - 1) ==
                getAffineDimExpr(last, map.getContext());
  return isLast && buffer.isLastDimUnitStride() ? Access::kLanes
                                                : Access::kOther;
}

class Walk {
public:
  Walk(Emitter &b, linalg::GenericOp op) : b_(b), op_(op) {}

  void emit() {
    OpOperand *init = op_.getDpsInitOperand(0);
    for (int64_t dim = 0, rank = op_.getNumLoops(); dim < rank; ++dim)
      extents_.push_back(b_.dim(init->get(), dim));
    // A single row is too little work for a parallel region.
    if (op_.getNumLoops() == 1)
      return lastLoop({});
    b_.parallel(extents_[0], [&](Value row) { innerLoops({row}); });
  }

private:
  void innerLoops(SmallVector<Value> indices) {
    if (static_cast<int64_t>(indices.size()) + 1 ==
        static_cast<int64_t>(op_.getNumLoops()))
      return lastLoop(indices);
    b_.loop(b_.index(0), extents_[indices.size()], 1, [&](Value i) {
      SmallVector<Value> next(indices);
      next.push_back(i);
      innerLoops(next);
    });
  }

  void lastLoop(ArrayRef<Value> outer) {
    Value extent = extents_.back();
    Value whole = b_.mulI(b_.divI(extent, b_.index(kLanes)), b_.index(kLanes));
    auto body = [&](int64_t width) {
      return [this, outer, width](Value column) {
        SmallVector<Value> indices(outer);
        indices.push_back(column);
        step(indices, width);
      };
    };
    b_.loop(b_.index(0), whole, kLanes, body(kLanes));
    b_.loop(whole, extent, 1, body(1));
  }

  Type ofWidth(Type element, int64_t width) {
    return width == 1 ? element : VectorType::get({width}, element);
  }
  Value spread(Value scalar, int64_t width) {
    return width == 1 ? scalar : b_.splat(scalar, width);
  }

  SmallVector<Value> placeOf(OpOperand &operand, ArrayRef<Value> indices) {
    SmallVector<Value> place;
    for (AffineExpr dim : op_.getMatchingIndexingMap(&operand).getResults())
      place.push_back(indices[cast<AffineDimExpr>(dim).getPosition()]);
    return place;
  }

  // The body for `width` elements from `indices`. All reads come before the
  // first write.
  void step(ArrayRef<Value> indices, int64_t width) {
    IRMapping values;
    Block *body = op_.getBody();
    for (OpOperand &operand : op_->getOpOperands()) {
      BlockArgument argument = body->getArgument(operand.getOperandNumber());
      if (argument.use_empty())
        continue;
      SmallVector<Value> place = placeOf(operand, indices);
      Access access = accessOf(op_, operand);
      Value value =
          width > 1 && access == Access::kLanes
              ? b_.loadVector(operand.get(), place,
                              VectorType::get({width}, argument.getType()))
              : spread(memref::LoadOp::create(b_, operand.get(), place), width);
      values.map(argument, value);
    }
    auto valueOf = [&](Value value) {
      if (Value mapped = values.lookupOrNull(value))
        return mapped;
      values.map(value, spread(value, width)); // from outside
      return values.lookup(value);
    };
    for (Operation &inner : body->without_terminator()) {
      if (inner.hasTrait<OpTrait::ConstantLike>()) {
        values.map(inner.getResult(0),
                   spread(b_.clone(inner)->getResult(0), width));
        continue;
      }
      SmallVector<Value> operands =
          llvm::map_to_vector(inner.getOperands(), valueOf);
      OperationState state(inner.getLoc(), inner.getName());
      state.addOperands(operands);
      state.addTypes(ofWidth(inner.getResult(0).getType(), width));
      state.addAttributes(inner.getAttrs());
      values.map(inner.getResult(0), b_.create(state)->getResult(0));
    }
    for (auto [i, result] :
         llvm::enumerate(body->getTerminator()->getOperands())) {
      OpOperand &init = *op_.getDpsInitOperand(i);
      SmallVector<Value> place = placeOf(init, indices);
      if (width > 1)
        vector::StoreOp::create(b_, valueOf(result), init.get(), place);
      else
        memref::StoreOp::create(b_, valueOf(result), init.get(), place);
    }
  }

  Emitter &b_;
  linalg::GenericOp op_;
  SmallVector<Value> extents_;
};

class WalkGeneric final : public OpRewritePattern<linalg::GenericOp> {
public:
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureBufferSemantics() || op.getNumLoops() == 0 ||
        op.getNumDpsInits() == 0)
      return rewriter.notifyMatchFailure(op, "no loop over buffers");
    if (op.getNumParallelLoops() != op.getNumLoops())
      return rewriter.notifyMatchFailure(
          op, "a reduction keeps the order of its loop");
    for (OpOperand &operand : op->getOpOperands()) {
      Access access = accessOf(op, operand);
      if (access == Access::kOther)
        return rewriter.notifyMatchFailure(
            op, "an operand's elements do not lie side by side");
      if (op.isDpsInit(&operand) &&
          !op.getMatchingIndexingMap(&operand).isIdentity())
        return rewriter.notifyMatchFailure(
            op, "a result is not written in the order of the loops");
    }
    for (Operation &inner : op.getBody()->without_terminator())
      if (!inner.hasTrait<OpTrait::ConstantLike>() && !isLanewise(inner))
        return rewriter.notifyMatchFailure(
            op, "the body has an operation that is not one lane's");
    Emitter b(op.getLoc(), rewriter);
    Walk(b, op).emit();
    rewriter.eraseOp(op);
    ++NumWalked;
    return success();
  }
};

class WalkInLanes final
    : public nibble::impl::WalkInLanesPassBase<WalkInLanes> {
public:
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<WalkGeneric>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
