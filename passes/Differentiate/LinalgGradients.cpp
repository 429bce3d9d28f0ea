#include "passes/Differentiate/LinalgGradients.h"

#include "passes/Differentiate/Expression.h"
#include "passes/Differentiate/GradientOpInterface.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace nibble;
using mlir::utils::IteratorType;

// Distinct dimensions and constants: what an output map may be.
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

static bool covers(ArrayRef<AffineMap> maps, unsigned dims) {
  llvm::SmallDenseSet<unsigned> seen;
  for (AffineMap map : maps)
    for (AffineExpr expr : map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        seen.insert(dim.getPosition());
  return seen.size() == dims;
}

static void eraseDeadOps(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
}

// Inputs that the body does not read go, as long as the loops can still be sized.
static void eraseUnusedInputs(linalg::GenericOp generic) {
  Block &body = *generic.getBody();
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  for (int64_t i = generic.getNumDpsInputs() - 1; i >= 0; --i) {
    if (!body.getArgument(i).use_empty())
      continue;
    SmallVector<AffineMap> fewer = maps;
    fewer.erase(fewer.begin() + i);
    if (!covers(fewer, generic.getNumLoops()))
      continue;
    maps = fewer;
    body.eraseArgument(i);
    generic.getInputsMutable().erase(i);
    generic.setIndexingMapsAttr(Builder(generic.getContext()).getAffineMapArrayAttr(maps));
  }
}

bool StructuredGradient::namesEveryDimension(AffineMap map) {
  return map.getNumResults() == op.getNumLoops() && map.isPermutation();
}

LogicalResult StructuredGradient::classifyResult(unsigned number, Value gradient) {
  Block &body = *op.getBlock();
  Value yielded = body.getTerminator()->getOperand(number);
  unsigned position = op.getNumDpsInputs() + number;
  Value out = position < body.getNumArguments() ? body.getArgument(position) : Value();
  bool reads = out && !out.use_empty();
  if (op.getNumReductionLoops() == 0) {
    // Without reductions an out that is read is one more input.
    results.push_back({number, Kind::Map, yielded, nullptr, gradient, {}, {}});
    return success();
  }
  Operation *combiner = yielded.getDefiningOp();
  bool combines = reads && combiner && combiner->getNumOperands() == 2 && out.hasOneUse() &&
                  llvm::is_contained(combiner->getOperands(), out);
  bool sum = combines && isa<arith::AddFOp>(combiner);
  bool extremum = combines && isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp>(combiner);
  if (!sum && !extremum)
    return op.emitOpError() << "has a gradient only when its reduction is a sum, a maximum or a minimum of result "
                            << number << " and a value that does not depend on it";
  Value term = combiner->getOperand(combiner->getOperand(0) == out ? 1 : 0);
  Value init = op.getDpsInits()[number];
  if (sum)
    gradients.add(init, gradient);
  else if (gradients.isNeeded(init))
    return op.emitOpError() << "has no gradient for the initial value of a maximum or minimum";
  results.push_back({number, sum ? Kind::Sum : Kind::Extremum, term, combiner, gradient, {}, {}});
  return success();
}

LogicalResult StructuredGradient::classify() {
  if (!op.hasPureTensorSemantics())
    return op.emitOpError() << "has a gradient on tensors only";
  for (AffineMap map : op.getIndexingMapsArray())
    if (!isInvertible(map))
      return op.emitOpError() << "has no gradient with indexing map " << AffineMapAttr::get(map)
                              << ": each result must be a dimension of its own";
  for (OpResult result : op->getResults())
    if (Value gradient = gradients.of(result))
      if (failed(classifyResult(result.getResultNumber(), gradient)))
        return failure();
  return success();
}

void StructuredGradient::collectTargets() {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!gradients.isNeeded(operand.get()))
      continue;
    unsigned number = operand.getOperandNumber();
    // Inits of reductions were served as a whole.
    if (op.isDpsInit(&operand) && (op.getNumReductionLoops() != 0 || number >= op.getBlock()->getNumArguments() ||
                                   op.getBlock()->getArgument(number).use_empty()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    Target *same = llvm::find_if(targets, [&](Target &t) { return t.value == operand.get() && t.map == map; });
    if (same == targets.end()) {
      targets.push_back({operand.get(), map, {}});
      same = &targets.back();
    }
    same->operands.push_back(number);
  }
}

void StructuredGradient::cloneBody(OpBuilder &nested, ValueRange arguments, IRMapping &mapping,
                                   SmallVectorImpl<Operation *> &clones) {
  Block &body = *op.getBlock();
  for (auto [from, to] : llvm::zip(body.getArguments(), arguments))
    mapping.map(from, to);
  for (Operation &inner : body.without_terminator())
    if (llvm::none_of(results, [&](const Result &result) { return result.combiner == &inner; }))
      clones.push_back(nested.clone(inner, mapping));
}

// ties[out(i)] = number of terms that are equal to the winner.
Value StructuredGradient::countTies(const Result &result) {
  Location loc = op.getLoc();
  Value winner = op->getResult(result.number);
  Type element = computeType(getElementTypeOrSelf(winner.getType()));
  Value zeros = constantLike(builder, loc, winner, element, 0.0);
  AffineMap outMap = op.getIndexingMapMatchingResult(op->getResult(result.number));
  SmallVector<Value> inputs(op->getOperands());
  inputs.push_back(winner);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.append(2, outMap);
  auto generic =
      linalg::GenericOp::create(builder, loc, zeros.getType(), inputs, zeros, maps, op.getIteratorTypesArray(),
                                [&](OpBuilder &nested, Location where, ValueRange arguments) {
                                  IRMapping mapping;
                                  SmallVector<Operation *> clones;
                                  cloneBody(nested, arguments, mapping, clones);
                                  Value term = mapping.lookupOrDefault(result.term);
                                  Value equal = arith::CmpFOp::create(nested, where, arith::CmpFPredicate::OEQ, term,
                                                                      arguments[inputs.size() - 1]);
                                  Expression one(nested, where, constantLike(nested, where, term, element, 1.0));
                                  Expression count = Expression(nested, where, arguments.back()) + one.where(equal);
                                  linalg::YieldOp::create(nested, where, Value(count));
                                });
  eraseDeadOps(*generic.getBody());
  eraseUnusedInputs(generic);
  return generic.getResult(0);
}

FailureOr<linalg::GenericOp> StructuredGradient::buildGeneric(ArrayRef<Target> group, ArrayRef<Value> outs, bool sum) {
  Location loc = op.getLoc();
  SmallVector<Value> inputs(op->getOperands());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto addInput = [&](Value value, unsigned result) {
    inputs.push_back(value);
    maps.push_back(op.getIndexingMapMatchingResult(op->getResult(result)));
  };
  for (const Result &result : results) {
    addInput(result.gradient, result.number);
    if (result.kind == Kind::Extremum) {
      addInput(result.winner, result.number);
      addInput(result.ties, result.number);
    }
  }
  SmallVector<IteratorType> iterators(op.getNumLoops(), IteratorType::reduction);
  for (const Target &target : group) {
    maps.push_back(target.map);
    for (AffineExpr expr : target.map.getResults())
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        iterators[dim.getPosition()] = IteratorType::parallel;
  }
  LogicalResult status = success();
  auto body = [&](OpBuilder &nested, Location where, ValueRange arguments) {
    IRMapping mapping;
    SmallVector<Operation *> clones;
    cloneBody(nested, arguments, mapping, clones);
    Gradients inner(nested, nullptr);
    inner.setLocation(where);
    for (const Target &target : group)
      for (unsigned operand : target.operands)
        inner.want(arguments[operand]);
    inner.propagate(clones);
    unsigned next = op->getNumOperands();
    for (const Result &result : results) {
      Value term = mapping.lookupOrDefault(result.term);
      Expression seed(nested, where, wide(nested, where, arguments[next++]));
      if (result.kind == Kind::Extremum) {
        Value winner = arguments[next++];
        Expression ties(nested, where, arguments[next++]);
        Value equal = arith::CmpFOp::create(nested, where, arith::CmpFPredicate::OEQ, term, winner);
        seed = (seed / ties).where(equal);
      }
      inner.add(term, seed);
    }
    status = reverseSweep(clones, inner);
    SmallVector<Value> yields;
    for (auto [target, out] : llvm::zip(group, arguments.take_back(group.size()))) {
      Value total;
      for (unsigned operand : target.operands)
        if (Value part = inner.of(arguments[operand]))
          total = total ? arith::AddFOp::create(nested, where, total, part).getResult() : part;
      if (!total)
        total = constantLike(nested, where, out, out.getType(), 0.0);
      total = convertFloat(nested, where, total, out.getType());
      yields.push_back(sum ? arith::AddFOp::create(nested, where, out, total).getResult() : total);
    }
    linalg::YieldOp::create(nested, where, yields);
  };
  auto generic =
      linalg::GenericOp::create(builder, loc, ValueRange(outs).getTypes(), inputs, outs, maps, iterators, body);
  if (failed(status))
    return failure();
  eraseDeadOps(*generic.getBody());
  eraseUnusedInputs(generic);
  return generic;
}

LogicalResult StructuredGradient::build() {
  if (failed(classify()))
    return failure();
  Location loc = op.getLoc();
  for (Result &result : results)
    if (result.kind == Kind::Extremum) {
      result.winner = op->getResult(result.number);
      result.ties = countTies(result);
    }
  collectTargets();
  // Operands read once in every iteration share one generic; the others are sums, each with its own reductions.
  SmallVector<Target> maps, sums;
  for (Target &target : targets)
    (namesEveryDimension(target.map) ? maps : sums).push_back(target);
  if (!maps.empty()) {
    SmallVector<Value> outs;
    for (Target &target : maps)
      outs.push_back(emptyLike(builder, loc, target.value, getElementTypeOrSelf(gradients.gradientType(target.value))));
    FailureOr<linalg::GenericOp> generic = buildGeneric(maps, outs, /*sum=*/false);
    if (failed(generic))
      return failure();
    for (auto [target, gradient] : llvm::zip(maps, generic->getResults()))
      gradients.add(target.value, gradient);
  }
  for (Target &target : sums) {
    LogicalResult status = success();
    auto build = [&](Value init) -> Value {
      FailureOr<linalg::GenericOp> generic = buildGeneric(target, init, /*sum=*/true);
      status = generic;
      return failed(generic) ? init : generic->getResult(0);
    };
    if (isa<RankedTensorType>(target.value.getType())) {
      gradients.accumulate(target.value, build);
    } else {
      Type element = computeType(target.value.getType());
      Value zero = arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(RankedTensorType::get({}, element), builder.getFloatAttr(element, 0.0)));
      gradients.add(target.value, tensor::ExtractOp::create(builder, loc, build(zero), ValueRange()));
    }
    if (failed(status))
      return failure();
  }
  return success();
}

namespace {

template <typename Op> struct StructuredModel : GradientOpInterface::ExternalModel<StructuredModel<Op>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder, Gradients &gradients) const {
    return StructuredGradient(cast<linalg::LinalgOp>(op), builder, gradients).build();
  }
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
