// nibble-check-extents: asserts, in front of each access, what it assumes about
// extents that are known only at run time.
#include "lib/Frontend/Linalg/Extents.h"
#include "lib/Frontend/Linalg/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ParallelCombiningOpInterface.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/Statistic.h"
#include "llvm/ADT/TypeSwitch.h"

#define DEBUG_TYPE "nibble-check-extents"

ALWAYS_ENABLED_STATISTIC(NumAsserts, "asserts that were put in");

namespace nibble {
#define GEN_PASS_DEF_CHECKEXTENTSPASS
#include "lib/Frontend/Linalg/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using nibble::Extent;

namespace {

using Predicate = arith::CmpIPredicate;

// Equalities that hold from an op to the end of its block, so that each is
// asserted once.
using KnownEqual =
    DenseSet<std::pair<Block *, std::pair<std::pair<void *, int64_t>,
                                          std::pair<void *, int64_t>>>>;

// Smallest and largest value of an expression of loop indices that start at 0,
// as expressions of the loops' extents. Null where there is no such form.
struct Bounds {
  AffineExpr least, greatest;
};

Bounds boundsOf(AffineExpr expression) {
  if (isa<AffineConstantExpr>(expression))
    return {expression, expression};
  if (isa<AffineDimExpr>(expression))
    return {getAffineConstantExpr(0, expression.getContext()), expression - 1};
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!binary)
    return {};
  Bounds left = boundsOf(binary.getLHS());
  Bounds right = boundsOf(binary.getRHS());
  if (!left.least || !right.least)
    return {};
  if (binary.getKind() == AffineExprKind::Add)
    return {left.least + right.least, left.greatest + right.greatest};
  auto number = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!number)
    return {};
  switch (binary.getKind()) {
  case AffineExprKind::Mul:
    return number.getValue() >= 0
               ? Bounds{left.least * number, left.greatest * number}
               : Bounds{left.greatest * number, left.least * number};
  case AffineExprKind::FloorDiv:
    return {left.least.floorDiv(number), left.greatest.floorDiv(number)};
  case AffineExprKind::CeilDiv:
    return {left.least.ceilDiv(number), left.greatest.ceilDiv(number)};
  case AffineExprKind::Mod:
    return {getAffineConstantExpr(0, expression.getContext()), number - 1};
  default:
    return {};
  }
}

// Inserts the asserts of one op, in front of it.
class Checks {
public:
  Checks(Operation *op, KnownEqual &known)
      : op_(op), b_(op->getLoc(), op), known_(known) {
    // The region of such an op may hold only the ops that it combines.
    if (isa_and_nonnull<InParallelOpInterface>(op->getParentOp()))
      b_.setInsertionPoint(op->getParentOp());
  }

  void elementwise() {
    SmallVector<Value> tensors = rankedOperands();
    for (Value tensor : ArrayRef(tensors).drop_front(tensors.empty() ? 0 : 1))
      for (int64_t dim = 0; dim < rankOf(tensor); ++dim)
        equal(Extent::of(tensors.front(), dim), Extent::of(tensor, dim),
              "has operands that differ in dimension " + Twine(dim));
  }

  // Every operand that a loop alone indexes must give the loop the same trip
  // count. Every other operand must contain all elements that the loops reach.
  void loops(linalg::LinalgOp loops) {
    struct First {
      std::optional<Extent> extent;
      unsigned operand = 0;
      int64_t dimension = 0;
    };
    SmallVector<First> firsts(loops.getNumLoops());
    forEachIndex(loops, [&](OpOperand &operand, int64_t dimension,
                            AffineExpr expression) {
      auto alone = dyn_cast<AffineDimExpr>(expression);
      if (!alone)
        return;
      First &first = firsts[alone.getPosition()];
      Extent extent = Extent::of(operand.get(), dimension);
      if (first.extent)
        equal(*first.extent, extent,
              "has extents that differ: dimension " + Twine(first.dimension) +
                  " of operand " + Twine(first.operand) + " and dimension " +
                  Twine(dimension) + " of operand " +
                  Twine(operand.getOperandNumber()));
      if (!first.extent || (!first.extent->number() && extent.number()))
        first = {extent, operand.getOperandNumber(), dimension};
    });
    forEachIndex(loops, [&](OpOperand &operand, int64_t dimension,
                            AffineExpr expression) {
      Bounds bounds =
          isa<AffineDimExpr>(expression) ? Bounds() : boundsOf(expression);
      bool isKnown = llvm::all_of(
          firsts, [](const First &first) { return first.extent.has_value(); });
      if (!bounds.least || !isKnown)
        return;
      SmallVector<OpFoldResult> extents;
      for (const First &first : firsts)
        extents.push_back(first.extent->fold(b_, b_.getLoc()));
      Value inside = both(
          compare(Predicate::sge, apply(bounds.least, extents),
                  b_.getIndexAttr(0)),
          compare(Predicate::slt, apply(bounds.greatest, extents),
                  Extent::of(operand.get(), dimension).fold(b_, b_.getLoc())));
      require(orEmpty(inside, loops), "reaches past dimension " +
                                          Twine(dimension) + " of operand " +
                                          Twine(operand.getOperandNumber()));
    });
  }

  // Checks an element that is read or written. An index of an enclosing loop is
  // compared once, outside of the loop.
  void element(Value tensor, ValueRange indices, StringRef reaches) {
    for (auto [dim, index] : llvm::enumerate(indices)) {
      Extent extent = Extent::of(tensor, dim);
      if (nibble::isInRange(index, extent, op_))
        continue;
      std::string text =
          (reaches + " outside of dimension " + Twine(dim)).str();
      auto of = index.getDefiningOp<linalg::IndexOp>();
      auto loops = of ? dyn_cast_or_null<linalg::LinalgOp>(op_->getParentOp())
                      : linalg::LinalgOp();
      std::optional<Extent> loop =
          loops ? nibble::loopExtent(loops, of.getDim()) : std::nullopt;
      bool isOutside =
          !extent.origin() || !loops ||
          !loops->isAncestor(extent.origin().getParentBlock()->getParentOp());
      if (loop && isOutside) {
        OpBuilder::InsertionGuard guard(b_);
        b_.setInsertionPoint(loops);
        Value inside = compare(Predicate::ule, loop->fold(b_, b_.getLoc()),
                               extent.fold(b_, b_.getLoc()));
        require(orEmpty(inside, loops), text);
        continue;
      }
      // The comparison is unsigned, so that a negative index counts as a large
      // one.
      require(compare(Predicate::ult, index, extent.fold(b_, b_.getLoc())),
              text);
    }
  }

  void cast(tensor::CastOp cast) {
    auto from = dyn_cast<RankedTensorType>(cast.getSource().getType());
    auto to = dyn_cast<RankedTensorType>(cast.getType());
    for (int64_t dim = 0; from && to && dim < to.getRank(); ++dim)
      if (!to.isDynamicDim(dim))
        equal(Extent::of(cast.getSource(), dim), Extent::of(to.getDimSize(dim)),
              "says that dimension " + Twine(dim) + " is " +
                  Twine(to.getDimSize(dim)) + ", and it is not");
  }

  // In each dimension [offset, offset + (size - 1) * stride] must lie in the
  // tensor, or size must be 0.
  void slice(OffsetSizeAndStrideOpInterface slice, Value tensor) {
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
    SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
    SmallVector<OpFoldResult> strides = slice.getMixedStrides();
    for (int64_t dim = 0; dim < rankOf(tensor); ++dim) {
      OpFoldResult extent = Extent::of(tensor, dim).fold(b_, b_.getLoc());
      // size - 1 steps of at least one element each must fit into the extent,
      // so that their product cannot overflow unnoticed.
      AffineExpr offset = b_.getAffineSymbolExpr(0);
      AffineExpr size = b_.getAffineSymbolExpr(1);
      AffineExpr stride = b_.getAffineSymbolExpr(2);
      OpFoldResult last = apply(offset + (size - 1) * stride,
                                {offsets[dim], sizes[dim], strides[dim]}, 3);
      Value first = compare(Predicate::ult, offsets[dim], extent);
      Value whole =
          both(both(first, compare(Predicate::ule, sizes[dim], extent)),
               compare(Predicate::ult, last, extent));
      if (whole)
        require(either(whole,
                       compare(Predicate::eq, sizes[dim], b_.getIndexAttr(0))),
                "leaves dimension " + Twine(dim) + " of its tensor");
    }
  }

  // An inserted tensor must be as large as the place where it is inserted.
  void inserted(OffsetSizeAndStrideOpInterface slice, Value source,
                const llvm::SmallBitVector &dropped) {
    int64_t of = 0;
    for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes())) {
      if (dropped.test(dim))
        continue;
      equal(Extent::of(source, of), Extent::of(size),
            "inserts a tensor whose dimension " + Twine(of) +
                " is not of the stated size");
      ++of;
    }
  }

  void pad(tensor::PadOp pad) {
    AffineExpr low = b_.getAffineSymbolExpr(0);
    AffineExpr extent = b_.getAffineSymbolExpr(1);
    AffineExpr high = b_.getAffineSymbolExpr(2);
    SmallVector<OpFoldResult> lows = pad.getMixedLowPad();
    SmallVector<OpFoldResult> highs = pad.getMixedHighPad();
    for (int64_t dim = 0; dim < pad.getType().getRank(); ++dim) {
      OpFoldResult source =
          Extent::of(pad.getSource(), dim).fold(b_, b_.getLoc());
      Value inside =
          both(compare(Predicate::sge, lows[dim], b_.getIndexAttr(0)),
               compare(Predicate::sge, highs[dim], b_.getIndexAttr(0)));
      if (!pad.getType().isDynamicDim(dim))
        inside = both(inside,
                      compare(Predicate::eq,
                              apply(low + extent + high,
                                    {lows[dim], source, highs[dim]}, 3),
                              b_.getIndexAttr(pad.getType().getDimSize(dim))));
      require(
          inside,
          "pads dimension " + Twine(dim) +
              " by a negative number, or to another size than its type says");
    }
  }

  void concatenation(tensor::ConcatOp concat) {
    OpFoldResult sum = b_.getIndexAttr(0);
    AffineExpr left = b_.getAffineSymbolExpr(0);
    AffineExpr right = b_.getAffineSymbolExpr(1);
    for (Value input : concat.getInputs()) {
      for (int64_t dim = 0; dim < rankOf(input); ++dim)
        if (dim != static_cast<int64_t>(concat.getDim()))
          equal(Extent::of(concat.getInputs().front(), dim),
                Extent::of(input, dim),
                "has inputs that differ in dimension " + Twine(dim));
      sum = apply(
          left + right,
          {sum, Extent::of(input, concat.getDim()).fold(b_, b_.getLoc())}, 2);
    }
    for (int64_t dim = 0; dim < rankOf(concat.getResult()); ++dim)
      if (auto type = concat.getResultType(); !type.isDynamicDim(dim)) {
        OpFoldResult extent = dim == static_cast<int64_t>(concat.getDim())
                                  ? sum
                                  : Extent::of(concat.getInputs().front(), dim)
                                        .fold(b_, b_.getLoc());
        require(compare(Predicate::eq, extent,
                        b_.getIndexAttr(type.getDimSize(dim))),
                "is not of the size that its type says in dimension " +
                    Twine(dim));
      }
  }

  // Each dimension of the source must have as many elements as the dimensions
  // that it expands to.
  void expansion(tensor::ExpandShapeOp expand) {
    SmallVector<OpFoldResult> sizes = expand.getMixedOutputShape();
    for (auto [dim, group] :
         llvm::enumerate(expand.getReassociationIndices())) {
      SmallVector<OpFoldResult> factors;
      for (int64_t of : group)
        factors.push_back(sizes[of]);
      sameCount(Extent::of(expand.getSrc(), dim), factors,
                "splits dimension " + Twine(dim) +
                    " into another number of elements");
    }
  }

  void reshape(tensor::ReshapeOp reshape) {
    auto from = dyn_cast<RankedTensorType>(reshape.getSource().getType());
    auto to = dyn_cast<RankedTensorType>(reshape.getResult().getType());
    if (!from || !to)
      return;
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim = 0; dim < to.getRank(); ++dim) {
      Value at = arith::ConstantIndexOp::create(b_, dim);
      Value size = tensor::ExtractOp::create(b_, reshape.getShape(), at);
      if (!size.getType().isIndex())
        size = arith::IndexCastOp::create(b_, b_.getIndexType(), size);
      sizes.push_back(size);
      if (!to.isDynamicDim(dim))
        require(
            compare(Predicate::eq, size, b_.getIndexAttr(to.getDimSize(dim))),
            "says that dimension " + Twine(dim) + " is " +
                Twine(to.getDimSize(dim)) + ", and it is not");
    }
    // All elements fit into a buffer in memory, so no product overflows.
    AffineExpr left = b_.getAffineSymbolExpr(0);
    AffineExpr right = b_.getAffineSymbolExpr(1);
    OpFoldResult count = b_.getIndexAttr(1);
    for (int64_t dim = 0; dim < from.getRank(); ++dim)
      count = apply(
          left * right,
          {count, Extent::of(reshape.getSource(), dim).fold(b_, b_.getLoc())},
          2);
    sameCount(Extent::of(count), sizes,
              "gives its tensor another number of elements");
  }

  void sizes(ValueRange sizes) {
    for (Value size : sizes)
      if (!size.getDefiningOp<tensor::DimOp>())
        require(compare(Predicate::sge, size, b_.getIndexAttr(0)),
                "has a negative extent");
  }

  void dimension(tensor::DimOp dim) {
    if (auto type = dyn_cast<RankedTensorType>(dim.getSource().getType()))
      require(compare(Predicate::ult, dim.getIndex(),
                      b_.getIndexAttr(type.getRank())),
              "asks for a dimension that its tensor of rank " +
                  Twine(type.getRank()) + " does not have");
  }

private:
  static int64_t rankOf(Value tensor) {
    return ::cast<RankedTensorType>(tensor.getType()).getRank();
  }

  SmallVector<Value> rankedOperands() {
    return llvm::filter_to_vector(op_->getOperands(), [](Value operand) {
      return isa<RankedTensorType>(operand.getType());
    });
  }

  static void forEachIndex(
      linalg::LinalgOp loops,
      llvm::function_ref<void(OpOperand &, int64_t, AffineExpr)> visit) {
    for (OpOperand &operand : loops->getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        for (auto [dimension, expression] : llvm::enumerate(
                 loops.getMatchingIndexingMap(&operand).getResults()))
          visit(operand, dimension, expression);
  }

  // `operands` are the symbols of the expression, or its dimensions when it has
  // no symbols.
  OpFoldResult apply(AffineExpr expression, ArrayRef<OpFoldResult> operands,
                     int64_t symbols = 0) {
    auto map =
        AffineMap::get(symbols ? 0 : operands.size(), symbols, expression);
    return affine::makeComposedFoldedAffineApply(b_, b_.getLoc(), map,
                                                 operands);
  }

  // Builds conditions; null is a condition that always holds.
  Value compare(Predicate predicate, OpFoldResult left, OpFoldResult right) {
    if (left == right &&
        (predicate == Predicate::eq || predicate == Predicate::sge ||
         predicate == Predicate::ule))
      return {};
    std::optional<int64_t> a = getConstantIntValue(left);
    std::optional<int64_t> c = getConstantIntValue(right);
    if (a && c) {
      bool holds = arith::applyCmpPredicate(predicate, APInt(64, *a, true),
                                            APInt(64, *c, true));
      return holds ? Value() : Value(arith::ConstantIntOp::create(b_, 0, 1));
    }
    return arith::CmpIOp::create(
        b_, predicate, getValueOrCreateConstantIndexOp(b_, b_.getLoc(), left),
        getValueOrCreateConstantIndexOp(b_, b_.getLoc(), right));
  }

  Value both(Value left, Value right) {
    return left && right ? Value(arith::AndIOp::create(b_, left, right))
           : left        ? left
                         : right;
  }

  Value either(Value left, Value right) {
    if (!left || !right)
      return {};
    if (matchPattern(right, m_Zero()))
      return left;
    return matchPattern(left, m_Zero())
               ? right
               : Value(arith::OrIOp::create(b_, left, right));
  }

  // When a loop does not run, nothing is accessed.
  Value orEmpty(Value condition, linalg::LinalgOp loops) {
    for (unsigned loop = 0; condition && loop < loops.getNumLoops(); ++loop) {
      std::optional<Extent> extent = nibble::loopExtent(loops, loop);
      if (extent && extent->number() && *extent->number() > 0)
        continue;
      if (extent)
        condition = either(condition,
                           compare(Predicate::eq, extent->fold(b_, b_.getLoc()),
                                   b_.getIndexAttr(0)));
    }
    return condition;
  }

  void equal(Extent left, Extent right, const Twine &text) {
    if (left == right ||
        known_.contains({b_.getInsertionBlock(), {left.key(), right.key()}}))
      return;
    require(compare(Predicate::eq, left.fold(b_, b_.getLoc()),
                    right.fold(b_, b_.getLoc())),
            text);
    known_.insert({b_.getInsertionBlock(), {left.key(), right.key()}});
  }

  // Asserts that `extent` is the product of `factors`, which are unsigned.
  // Dividing each partial product by its factor shows whether it overflowed.
  void sameCount(const Extent &extent, ArrayRef<OpFoldResult> factors,
                 const Twine &text) {
    int64_t number = 1;
    SmallVector<Value> values;
    for (OpFoldResult factor : factors) {
      if (std::optional<int64_t> known = getConstantIntValue(factor))
        number *= *known;
      else
        values.push_back(::cast<Value>(factor));
    }
    if (values.empty())
      return equal(extent, Extent::of(number), text);
    if (values.size() == 1 && number == 1)
      return equal(extent, Extent::of(OpFoldResult(values.front())), text);
    Value product = arith::ConstantIndexOp::create(b_, number);
    Value holds;
    for (Value factor : values) {
      Value next = arith::MulIOp::create(b_, product, factor);
      Value divisor = arith::MaxUIOp::create(
          b_, factor, arith::ConstantIndexOp::create(b_, 1));
      Value back = arith::DivUIOp::create(b_, next, divisor);
      Value fits = either(compare(Predicate::eq, factor, b_.getIndexAttr(0)),
                          compare(Predicate::eq, back, product));
      holds = both(holds, fits);
      product = next;
    }
    require(both(holds,
                 compare(Predicate::eq, extent.fold(b_, b_.getLoc()), product)),
            text);
  }

  void require(Value condition, const Twine &text) {
    if (!condition)
      return;
    cf::AssertOp::create(
        b_, condition,
        ("'" + op_->getName().getStringRef() + "' " + text).str());
    ++NumAsserts;
  }

  Operation *op_;
  ImplicitLocOpBuilder b_;
  KnownEqual &known_;
};

void check(Operation *op, KnownEqual &known) {
  Checks checks(op, known);
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](linalg::LinalgOp loops) {
        return loops.hasPureTensorSemantics() ? checks.loops(loops) : void();
      })
      .Case([&](linalg::SoftmaxOp) { checks.elementwise(); })
      .Case([&](tensor::CastOp cast) { checks.cast(cast); })
      .Case([&](tensor::ExtractOp extract) {
        checks.element(extract.getTensor(), extract.getIndices(), "reads");
      })
      .Case([&](tensor::InsertOp insert) {
        checks.element(insert.getDest(), insert.getIndices(), "writes");
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        checks.slice(slice, slice.getSource());
      })
      .Case<tensor::InsertSliceOp, tensor::ParallelInsertSliceOp>(
          [&](auto slice) {
            checks.slice(slice, slice.getDest());
            checks.inserted(slice, slice.getSource(), slice.getDroppedDims());
          })
      .Case([&](tensor::PadOp pad) { checks.pad(pad); })
      .Case([&](tensor::ConcatOp concat) { checks.concatenation(concat); })
      .Case([&](tensor::ExpandShapeOp expand) { checks.expansion(expand); })
      .Case([&](tensor::ReshapeOp reshape) { checks.reshape(reshape); })
      .Case(
          [&](tensor::EmptyOp empty) { checks.sizes(empty.getDynamicSizes()); })
      .Case(
          [&](tensor::SplatOp splat) { checks.sizes(splat.getDynamicSizes()); })
      .Case([&](tensor::GenerateOp generate) {
        checks.sizes(generate.getDynamicExtents());
      })
      .Case([&](tensor::DimOp dim) { checks.dimension(dim); })
      .Default([&](Operation *other) {
        if (OpTrait::hasElementwiseMappableTraits(other))
          checks.elementwise();
      });
}

class CheckExtents final
    : public nibble::impl::CheckExtentsPassBase<CheckExtents> {
public:
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk<WalkOrder::PreOrder>(
        [&](Operation *op) { ops.push_back(op); });
    KnownEqual known;
    for (Operation *op : ops)
      check(op, known);
  }
};

} // namespace
