// Bounds of index values, and the extents of tensors as values.
#include "lib/Frontend/Linalg/Extents.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <algorithm>

using namespace mlir;
using nibble::Extent;

namespace {

std::optional<int64_t> constantOf(Value value) {
  return getConstantIntValue(OpFoldResult(value));
}

// The tensor that has the same extents as `value`, by the definition of the op
// or by a check before it; null when there is none.
Value asLargeAs(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (auto cast = dyn_cast<tensor::CastOp>(op))
    return isa<RankedTensorType>(cast.getSource().getType()) ? cast.getSource()
                                                             : Value();
  if (auto style = dyn_cast<DestinationStyleOpInterface>(op))
    return style.getTiedOpOperand(cast<OpResult>(value))->get();
  if (!OpTrait::hasElementwiseMappableTraits(op))
    return {};
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      return operand;
  return {};
}

// Smallest and largest value that an integer can have; nullopt when they are
// not known.
using Interval = std::optional<std::pair<int64_t, int64_t>>;

Interval rangeOf(Value value);

template <typename Op>
Interval rangeOfBinary(Op op,
                       std::optional<int64_t> (*compute)(int64_t, int64_t)) {
  Interval left = rangeOf(op.getLhs());
  Interval right = rangeOf(op.getRhs());
  if (!left || !right)
    return std::nullopt;
  int64_t least = INT64_MAX;
  int64_t greatest = INT64_MIN;
  for (int64_t a : {left->first, left->second})
    for (int64_t b : {right->first, right->second}) {
      std::optional<int64_t> result = compute(a, b);
      if (!result)
        return std::nullopt;
      least = std::min(least, *result);
      greatest = std::max(greatest, *result);
    }
  return {{least, greatest}};
}

Interval rangeOf(Value value) {
  if (!value.getType().isIndex() && !value.getType().isInteger(64))
    return std::nullopt;
  if (std::optional<int64_t> number = constantOf(value))
    return {{*number, *number}};
  Operation *op = value.getDefiningOp();
  if (!op) {
    auto loop =
        dyn_cast_or_null<scf::ForOp>(value.getParentBlock()->getParentOp());
    if (!loop || loop.getInductionVar() != value)
      return std::nullopt;
    std::optional<int64_t> lower = constantOf(loop.getLowerBound());
    std::optional<int64_t> upper = constantOf(loop.getUpperBound());
    return lower && upper && *lower < *upper ? Interval({*lower, *upper - 1})
                                             : std::nullopt;
  }
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    auto loops = dyn_cast_or_null<linalg::LinalgOp>(op->getParentOp());
    auto extent =
        loops ? nibble::loopExtent(loops, index.getDim()) : std::nullopt;
    auto number = extent ? extent->number() : std::nullopt;
    return number && *number > 0 ? Interval({0, *number - 1}) : std::nullopt;
  }
  if (auto cast = dyn_cast<arith::IndexCastOp>(op))
    return rangeOf(cast.getIn());
  if (auto add = dyn_cast<arith::AddIOp>(op))
    return rangeOfBinary(add, llvm::checkedAdd<int64_t>);
  if (auto subtract = dyn_cast<arith::SubIOp>(op))
    return rangeOfBinary(subtract, llvm::checkedSub<int64_t>);
  if (auto multiply = dyn_cast<arith::MulIOp>(op))
    return rangeOfBinary(multiply, llvm::checkedMul<int64_t>);
  return std::nullopt;
}

// The index before casts between index and i64, which keep every bit.
Value uncast(Value index) {
  while (auto cast = index.getDefiningOp<arith::IndexCastOp>()) {
    if (!cast.getIn().getType().isIndex() &&
        !cast.getIn().getType().isInteger(64))
      break;
    index = cast.getIn();
  }
  return index;
}

// Whether `condition` states that index >= 0, or that index < extent.
bool saysNotNegative(arith::CmpIOp condition, Value index) {
  std::optional<int64_t> bound = constantOf(condition.getRhs());
  return condition.getPredicate() == arith::CmpIPredicate::sge && bound &&
         *bound >= 0 && uncast(condition.getLhs()) == index;
}

bool saysSmaller(arith::CmpIOp condition, Value index, const Extent &extent) {
  if (condition.getPredicate() != arith::CmpIPredicate::slt ||
      uncast(condition.getLhs()) != index)
    return false;
  std::optional<int64_t> bound = constantOf(condition.getRhs());
  std::optional<int64_t> number = extent.number();
  if (bound && number)
    return *bound <= *number;
  Value limit = uncast(condition.getRhs());
  return limit.getType().isIndex() && Extent::of(OpFoldResult(limit)) == extent;
}

// torch-mlir writes a lookup like this: two assertions in the body, then the
// read.
bool isAsserted(Value index, const Extent &extent, Operation *user) {
  if (!isa_and_nonnull<linalg::LinalgOp>(user->getParentOp()))
    return false;
  index = uncast(index);
  bool notNegative = false, smaller = false;
  for (Operation *op = user->getPrevNode(); op; op = op->getPrevNode()) {
    auto assertion = dyn_cast<cf::AssertOp>(op);
    auto condition = assertion
                         ? assertion.getArg().getDefiningOp<arith::CmpIOp>()
                         : arith::CmpIOp();
    if (!condition)
      continue;
    notNegative |= saysNotNegative(condition, index);
    smaller |= saysSmaller(condition, index, extent);
  }
  return notNegative && smaller;
}

// Whether the index runs from 0 to the extent, which need not be known.
bool walksExtent(Value index, const Extent &extent) {
  if (auto op = index.getDefiningOp<linalg::IndexOp>()) {
    auto loops = dyn_cast_or_null<linalg::LinalgOp>(op->getParentOp());
    return loops && nibble::loopExtent(loops, op.getDim()) == extent;
  }
  auto loop =
      dyn_cast_or_null<scf::ForOp>(index.getParentBlock()->getParentOp());
  if (!loop || loop.getInductionVar() != index)
    return false;
  std::optional<int64_t> lower = constantOf(loop.getLowerBound());
  return lower && *lower >= 0 &&
         Extent::of(OpFoldResult(loop.getUpperBound())) == extent;
}

} // namespace

Extent Extent::of(OpFoldResult size) {
  if (std::optional<int64_t> number = getConstantIntValue(size))
    return of(*number);
  auto value = cast<Value>(size);
  if (auto dim = value.getDefiningOp<tensor::DimOp>())
    if (auto type = dyn_cast<RankedTensorType>(dim.getSource().getType()))
      if (std::optional<int64_t> index = dim.getConstantIndex();
          index && *index >= 0 && *index < type.getRank())
        return of(dim.getSource(), *index);
  return {value, 0};
}

Extent Extent::of(Value tensor, int64_t dimension) {
  for (;;) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dimension))
      return of(type.getDimSize(dimension));
    if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
      return of(OpFoldResult(empty.getDynamicSize(dimension)));
    if (auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>())
      return of(expand.getMixedOutputShape()[dimension]);
    Value source = asLargeAs(tensor);
    if (!source)
      return {tensor, dimension};
    tensor = source;
  }
}

std::optional<int64_t> Extent::number() const {
  return origin_ ? std::nullopt : std::optional(number_);
}

Value Extent::materialize(OpBuilder &b, Location loc) const {
  if (!origin_)
    return arith::ConstantIndexOp::create(b, loc, number_);
  if (origin_.getType().isIndex())
    return origin_;
  return tensor::DimOp::create(b, loc, origin_, number_);
}

OpFoldResult Extent::fold(OpBuilder &b, Location loc) const {
  return origin_ ? OpFoldResult(materialize(b, loc))
                 : OpFoldResult(b.getIndexAttr(number_));
}

std::optional<Extent> nibble::loopExtent(linalg::LinalgOp op, unsigned loop) {
  std::optional<Extent> found;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    for (auto [dimension, expression] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      auto alone = dyn_cast<AffineDimExpr>(expression);
      if (!alone || alone.getPosition() != loop)
        continue;
      Extent extent = Extent::of(operand.get(), dimension);
      if (extent.number())
        return extent;
      if (!found)
        found = extent;
    }
  }
  return found;
}

bool nibble::isInRange(Value index, const Extent &extent, Operation *user) {
  std::optional<int64_t> number = extent.number();
  if (Interval range = rangeOf(index);
      number && range && range->first >= 0 && range->second < *number)
    return true;
  return walksExtent(index, extent) || isAsserted(index, extent, user);
}
