// Classifies how each result of a structured op follows from its body: mapped,
// summed, or chosen among terms.
#include "passes/Differentiate/Rules/LinalgGradients.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nibble;
using mlir::utils::IteratorType;

// Whether an output map consists of distinct dimensions and constants.
static bool isInvertible(AffineMap map) {
  llvm::SmallDenseSet<unsigned> seen;
  for (AffineExpr expr : map.getResults()) {
    if (isa<AffineConstantExpr>(expr))
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || !seen.insert(dim.getPosition()).second)
      return false;
  }
  return true;
}
bool StructuredGradient::dependsOn(Value value, Value out) {
  llvm::SmallDenseSet<Value> dependent;
  for (BlockArgument argument :
       op_.getBlock()->getArguments().drop_front(op_.getNumDpsInputs()))
    if (!out || argument == out)
      dependent.insert(argument);
  for (Operation &inner : op_.getBlock()->without_terminator())
    if (llvm::any_of(inner.getOperands(), [&](Value operand) {
          return dependent.contains(operand);
        }))
      dependent.insert(inner.result_begin(), inner.result_end());
  return dependent.contains(value);
}

bool StructuredGradient::isSumWith(Value value, Value out) {
  if (value == out)
    return true;
  Operation *sum = value.getDefiningOp();
  if (!sum || sum->getBlock() != op_.getBlock())
    return false;
  auto carries = [&](unsigned operand, unsigned other) {
    return isSumWith(sum->getOperand(operand), out) &&
           !dependsOnOuts(sum->getOperand(other));
  };
  if (isa<arith::AddFOp>(sum))
    return carries(0, 1) || carries(1, 0);
  if (isa<arith::SubFOp>(sum))
    return carries(0, 1);
  if (isa<arith::ExtFOp, arith::TruncFOp>(sum))
    return isSumWith(sum->getOperand(0), out);
  if (auto select = dyn_cast<arith::SelectOp>(sum))
    return !dependsOnOuts(select.getCondition()) &&
           isSumWith(select.getTrueValue(), out) &&
           isSumWith(select.getFalseValue(), out);
  return false;
}

bool StructuredGradient::readsWindows() {
  for (OpOperand *input : op_.getDpsInputOperands())
    if (!isInvertible(op_.getMatchingIndexingMap(input)))
      return true;
  return !op_.getBlock()->getOps<tensor::ExtractOp>().empty();
}

// The operand of `combiner` that is not `out`; null when there is none, or it
// depends on `out` itself.
static Value otherOperand(Operation *combiner, Value out) {
  unsigned first = isa<arith::SelectOp>(combiner) ? 1 : 0;
  if (combiner->getNumOperands() != first + 2)
    return {};
  Value a = combiner->getOperand(first);
  Value b = combiner->getOperand(first + 1);
  return a == out ? b : b == out ? a : Value();
}

// Whether the select is a maximum or minimum of `out` and `term`, such as
// select(x > y, x, y).
static bool choosesExtremum(arith::SelectOp select, Value out, Value term) {
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  auto isOneOf = [&](Value value) { return value == out || value == term; };
  using P = arith::CmpFPredicate;
  return compare && isOneOf(compare.getLhs()) && isOneOf(compare.getRhs()) &&
         compare.getLhs() != compare.getRhs() &&
         llvm::is_contained(
             {P::OGT, P::OGE, P::OLT, P::OLE, P::UGT, P::UGE, P::ULT, P::ULE},
             compare.getPredicate());
}

SmallVector<StructuredGradient::Place, 1>
StructuredGradient::findPlaces(Value out) {
  // Integer results that take the term's number under a condition on `out`.
  SmallVector<Place, 1> places;
  for (auto [number, yielded] :
       llvm::enumerate(op_.getBlock()->getTerminator()->getOperands())) {
    unsigned position = op_.getNumDpsInputs() + number;
    auto select = yielded.getDefiningOp<arith::SelectOp>();
    if (!select || !isa<IntegerType, IndexType>(yielded.getType()) ||
        position >= op_.getBlock()->getNumArguments())
      continue;
    Value inBody = otherOperand(select, op_.getBlock()->getArgument(position));
    if (inBody && !dependsOnOuts(inBody) &&
        dependsOn(select.getCondition(), out))
      places.push_back({op_->getResult(number), inBody});
  }
  return places;
}
bool StructuredGradient::namesIteration(const Place &place) {
  Value value = place.inBody;
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && op_.getNumReductionLoops() == 1 &&
         op_.getIteratorTypesArray()[index.getDim()] == IteratorType::reduction;
}
LogicalResult StructuredGradient::classifyResult(unsigned number,
                                                 Value gradient) {
  Block &body = *op_.getBlock();
  Value yielded = body.getTerminator()->getOperand(number);
  unsigned position = op_.getNumDpsInputs() + number;
  Value out =
      position < body.getNumArguments() ? body.getArgument(position) : Value();
  AffineMap map = op_.getIndexingMapMatchingResult(op_->getResult(number));
  if (!isInvertible(map))
    return op_.emitOpError()
           << "has no gradient with indexing map " << AffineMapAttr::get(map)
           << " of result " << number
           << ": it must name each dimension by itself; write the op so that "
              "every element "
           << "of the result has iterations of its own";
  if (op_.getNumReductionLoops() == 0) {
    // Without reductions, an out that is read is one more input.
    results_.push_back({number, Kind::Map, yielded, {}, gradient, {}});
    return success();
  }
  Value init = op_.getDpsInits()[number];
  if (out && isSumWith(yielded, out)) {
    gradients_.add(init, gradient);
    results_.push_back({number, Kind::Sum, yielded, {}, gradient, {}});
    return success();
  }
  Operation *combiner = yielded.getDefiningOp();
  Value term = out && combiner ? otherOperand(combiner, out) : Value();
  auto select = dyn_cast_or_null<arith::SelectOp>(combiner);
  bool extremum =
      isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
                      arith::MinNumFOp>(combiner) ||
      (select && term && choosesExtremum(select, out, term));
  if (!term || dependsOnOuts(term) || !(extremum || select))
    term = {};
  SmallVector<Place, 1> places;
  if (term)
    places = findPlaces(out);
  if (!term || !(extremum || !places.empty()))
    return op_.emitOpError()
           << "has a gradient only when its reduction is a sum, a maximum or a "
              "minimum of result "
           << number
           << " and a value that does not depend on it; write another "
              "reduction as "
           << "one of these, or as a loop of ops that have gradients";
  if (gradients_.isNeeded(init))
    return op_.emitOpError()
           << "has no gradient for the initial value of a maximum or minimum; "
              "begin it with a "
           << "constant and take the larger or smaller of both afterwards";
  Kind kind = !places.empty() || readsWindows() ? Kind::Selected : Kind::Shared;
  results_.push_back({number, kind, term, places, gradient, {}});
  return success();
}

LogicalResult StructuredGradient::classify() {
  if (!op_.hasPureTensorSemantics())
    return op_.emitOpError() << "has a gradient on tensors only";
  for (OpResult result : op_->getResults())
    if (Value gradient = gradients_.of(result))
      if (failed(classifyResult(result.getResultNumber(), gradient)))
        return failure();
  return success();
}
