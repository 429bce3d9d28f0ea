// Differentiates a structured op: what it reads, which gradients are wanted,
// and in which order they are built.
#include "passes/Differentiate/Rules/LinalgGradients.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;
using mlir::utils::IteratorType;

bool StructuredGradient::namesEveryDimension(AffineMap map) {
  return map.getNumResults() == op.getNumLoops() && map.isPermutation();
}
// Whatever an infinity is compared with wins, so a place is that of a term.
static bool isInfinite(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs()[0];
  return matchPattern(init, m_NegInfFloat()) ||
         matchPattern(init, m_PosInfFloat());
}
LogicalResult StructuredGradient::collectReads() {
  Block &body = *op.getBlock();
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    Value inBody =
        number < body.getNumArguments() ? body.getArgument(number) : Value();
    reads.push_back(
        {operand.get(), op.getMatchingIndexingMap(&operand), inBody});
  }
  for (Value value : valuesReadInside(op)) {
    if (!gradients.isNeeded(value))
      continue;
    if (isa<FloatType>(value.getType())) {
      reads.push_back(
          {value, AffineMap::get(op.getNumLoops(), 0, op.getContext()), value});
      continue;
    }
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (op->isProperAncestor(user) && !readsSize(user) &&
          (user->getBlock() != &body || !isa<tensor::ExtractOp>(user)))
        return user->emitOpError() << "reads a tensor from outside the body "
                                      "that needs a gradient, which only "
                                      "tensor.extract may do; pass the tensor "
                                      "as an operand of the linalg op";
    }
    tables.push_back(value);
  }
  return success();
}

void StructuredGradient::collectTargets() {
  for (auto [number, read] : llvm::enumerate(reads)) {
    if (!gradients.isNeeded(read.value))
      continue;
    bool isInit = number < op->getNumOperands() &&
                  op.isDpsInit(&op->getOpOperand(number));
    // Inits of reductions were served as a whole.
    if (isInit && (op.getNumReductionLoops() != 0 || !read.inBody ||
                   read.inBody.use_empty()))
      continue;
    Target *same = llvm::find_if(targets, [&](Target &t) {
      return t.value == read.value && t.map == read.map;
    });
    if (same == targets.end()) {
      targets.push_back({read.value, read.map, {}});
      same = &targets.back();
    }
    same->reads.push_back(number);
  }
}
LogicalResult StructuredGradient::build() {
  if (failed(classify()) || failed(collectReads()))
    return failure();
  Location loc = op.getLoc();
  bool countsIterations = llvm::any_of(results, [](const Result &result) {
    return result.kind == Kind::Selected;
  });
  if (countsIterations || !tables.empty())
    collectExtents();
  for (Result &result : results) {
    if (result.kind == Kind::Shared)
      result.further = {op->getResult(result.number), countTies(result)};
    if (result.kind != Kind::Selected)
      continue;
    Place *own = llvm::find_if(result.places, [&](const Place &place) {
      return namesIteration(place);
    });
    // From any other initial value the places may be the initial ones, of no
    // term.
    result.isNumbered = own == result.places.end() ||
                        !isInfinite(op.getDpsInits()[result.number]);
    if (!result.isNumbered)
      std::swap(*own, result.places.front());
    result.further = {result.isNumbered ? findFirst(result)
                                        : result.places.front().chosen};
  }
  collectTargets();
  // Operands read once in every iteration share one generic; the others are
  // sums, each with its own reductions.
  SmallVector<Target> maps, sums;
  for (Target &target : targets)
    (namesEveryDimension(target.map) ? maps : sums).push_back(target);
  if (!maps.empty()) {
    SmallVector<Value> outs;
    for (Target &target : maps)
      outs.push_back(emptyLike(
          builder, loc, target.value,
          getElementTypeOrSelf(gradients.gradientType(target.value))));
    FailureOr<linalg::GenericOp> generic =
        buildGeneric(maps, outs, /*sum=*/false);
    if (failed(generic))
      return failure();
    for (auto [target, gradient] : llvm::zip(maps, generic->getResults()))
      gradients.add(target.value, gradient);
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
      gradients.accumulate(target.value, build);
    } else {
      Type element = computeType(target.value.getType());
      Value zero = arith::ConstantOp::create(
          builder, loc,
          DenseElementsAttr::get(RankedTensorType::get({}, element),
                                 builder.getFloatAttr(element, 0.0)));
      gradients.add(target.value, tensor::ExtractOp::create(
                                      builder, loc, build(zero), ValueRange()));
    }
    if (failed(status))
      return failure();
  }
  for (Value table : tables) {
    LogicalResult status = success();
    gradients.accumulate(table, [&](Value init) -> Value {
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
