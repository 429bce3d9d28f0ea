// Differentiates a structured op: finds its reads and the requested gradients,
// and builds these in order.
#include "passes/Differentiate/Rules/LinalgGradients.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;
using mlir::utils::IteratorType;

bool StructuredGradient::namesEveryDimension(AffineMap map) {
  return map.getNumResults() == op_.getNumLoops() && map.isPermutation();
}
// Whether `init` is an infinity, against which every term wins. A place is then
// always that of a term.
static bool isInfinite(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs()[0];
  return matchPattern(init, m_NegInfFloat()) ||
         matchPattern(init, m_PosInfFloat());
}
LogicalResult StructuredGradient::collectReads() {
  Block &body = *op_.getBlock();
  for (OpOperand &operand : op_->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    Value inBody =
        number < body.getNumArguments() ? body.getArgument(number) : Value();
    reads_.push_back(
        {operand.get(), op_.getMatchingIndexingMap(&operand), inBody});
  }
  for (Value value : valuesReadInside(op_)) {
    if (!gradients_.isNeeded(value))
      continue;
    if (isa<FloatType>(value.getType())) {
      reads_.push_back({value,
                        AffineMap::get(op_.getNumLoops(), 0, op_.getContext()),
                        value});
      continue;
    }
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (op_->isProperAncestor(user) && !readsSize(user) &&
          (user->getBlock() != &body || !isa<tensor::ExtractOp>(user)))
        return user->emitOpError() << "reads a tensor from outside the body "
                                      "that needs a gradient, which only "
                                      "tensor.extract may do; pass the tensor "
                                      "as an operand of the linalg op";
    }
    tables_.push_back(value);
  }
  return success();
}

void StructuredGradient::collectTargets() {
  for (auto [number, read] : llvm::enumerate(reads_)) {
    if (!gradients_.isNeeded(read.value))
      continue;
    bool isInit = number < op_->getNumOperands() &&
                  op_.isDpsInit(&op_->getOpOperand(number));
    // Inits of reductions have been handled as a whole.
    if (isInit && (op_.getNumReductionLoops() != 0 || !read.inBody ||
                   read.inBody.use_empty()))
      continue;
    Target *same = llvm::find_if(targets_, [&](Target &t) {
      return t.value == read.value && t.map == read.map;
    });
    if (same == targets_.end()) {
      targets_.push_back({read.value, read.map, {}});
      same = &targets_.back();
    }
    same->reads.push_back(number);
  }
}
LogicalResult StructuredGradient::build() {
  if (failed(classify()) || failed(collectReads()))
    return failure();
  Location loc = op_.getLoc();
  bool countsIterations = llvm::any_of(results_, [](const Result &result) {
    return result.kind == Kind::Selected;
  });
  if (countsIterations || !tables_.empty())
    collectExtents();
  for (Result &result : results_) {
    if (result.kind == Kind::Shared)
      result.further = {op_->getResult(result.number), countTies(result)};
    if (result.kind != Kind::Selected)
      continue;
    Place *own = llvm::find_if(result.places, [&](const Place &place) {
      return namesIteration(place);
    });
    // With any other initial value the places may be the initial ones, which
    // belong to no term.
    result.isNumbered = own == result.places.end() ||
                        !isInfinite(op_.getDpsInits()[result.number]);
    if (!result.isNumbered)
      std::swap(*own, result.places.front());
    result.further = {result.isNumbered ? findFirst(result)
                                        : result.places.front().chosen};
  }
  collectTargets();
  // Operands that every iteration reads once share one generic. The others are
  // sums, each with its own reductions.
  SmallVector<Target> maps, sums;
  for (Target &target : targets_)
    (namesEveryDimension(target.map) ? maps : sums).push_back(target);
  if (!maps.empty()) {
    SmallVector<Value> outs;
    for (Target &target : maps)
      outs.push_back(emptyLike(
          builder_, loc, target.value,
          getElementTypeOrSelf(gradients_.gradientType(target.value))));
    FailureOr<linalg::GenericOp> generic =
        buildGeneric(maps, outs, /*sum=*/false);
    if (failed(generic))
      return failure();
    for (auto [target, gradient] : llvm::zip(maps, generic->getResults()))
      gradients_.add(target.value, gradient);
  }
  for (Target &target : sums) {
    LogicalResult status = success();
    auto build = [&](Value init) -> Value {
      FailureOr<linalg::GenericOp> generic =
          buildGeneric(target, init, /*sum=*/true);
      status = generic;
      return failed(generic) ? init : generic->getResult(0);
    };
    if (isa<RankedTensorType>(target.value.getType())) {
      gradients_.accumulate(target.value, build);
    } else {
      Type element = computeType(target.value.getType());
      Value zero = arith::ConstantOp::create(
          builder_, loc,
          DenseElementsAttr::get(RankedTensorType::get({}, element),
                                 builder_.getFloatAttr(element, 0.0)));
      gradients_.add(
          target.value,
          tensor::ExtractOp::create(builder_, loc, build(zero), ValueRange()));
    }
    if (failed(status))
      return failure();
  }
  for (Value table : tables_) {
    LogicalResult status = success();
    gradients_.accumulate(table, [&](Value init) -> Value {
      FailureOr<Value> sum = scatter(table, init);
      status = sum;
      return failed(sum) ? init : *sum;
    });
    if (failed(status))
      return failure();
  }
  return success();
}

namespace {

template <typename Op>
struct StructuredModel
    : GradientOpInterface::ExternalModel<StructuredModel<Op>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    return StructuredGradient(cast<linalg::LinalgOp>(op), builder, gradients)
        .build();
  }
  bool servesCaptured(Operation *) const { return true; }
};

template <typename... Ops> void attach(MLIRContext *context) {
  (Ops::template attachInterface<StructuredModel<Ops>>(*context), ...);
}

} // namespace

void nibble::registerLinalgGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attach<
#define GET_OP_LIST
#include "mlir/Dialect/Linalg/IR/LinalgStructuredOps.cpp.inc"
        >(context);
  });
}
