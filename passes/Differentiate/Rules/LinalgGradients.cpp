#include "passes/Differentiate/Rules/LinalgGradients.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <limits>

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

// Inputs that the body does not read go, as long as the loops can still be
// sized.
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
    generic.setIndexingMapsAttr(
        Builder(generic.getContext()).getAffineMapArrayAttr(maps));
  }
}

// A dimension that `map` names by itself and nowhere else takes each element
// once.
static void markParallel(AffineMap map,
                         SmallVectorImpl<IteratorType> &iterators) {
  llvm::SmallDenseSet<unsigned> compound;
  for (AffineExpr expr : map.getResults())
    if (!isa<AffineDimExpr>(expr))
      expr.walk([&](AffineExpr part) {
        if (auto dim = dyn_cast<AffineDimExpr>(part))
          compound.insert(dim.getPosition());
      });
  for (AffineExpr expr : map.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(expr);
        dim && !compound.contains(dim.getPosition()))
      iterators[dim.getPosition()] = IteratorType::parallel;
}

bool StructuredGradient::namesEveryDimension(AffineMap map) {
  return map.getNumResults() == op.getNumLoops() && map.isPermutation();
}

bool StructuredGradient::dependsOn(Value value, Value out) {
  llvm::SmallDenseSet<Value> dependent;
  for (BlockArgument argument :
       op.getBlock()->getArguments().drop_front(op.getNumDpsInputs()))
    if (!out || argument == out)
      dependent.insert(argument);
  for (Operation &inner : op.getBlock()->without_terminator())
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
  if (!sum || sum->getBlock() != op.getBlock())
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
  for (OpOperand *input : op.getDpsInputOperands())
    if (!isInvertible(op.getMatchingIndexingMap(input)))
      return true;
  return !op.getBlock()->getOps<tensor::ExtractOp>().empty();
}

// The operand of `combiner` that is not `out`; null when it has none or depends
// on `out` itself.
static Value otherOperand(Operation *combiner, Value out) {
  unsigned first = isa<arith::SelectOp>(combiner) ? 1 : 0;
  if (combiner->getNumOperands() != first + 2)
    return {};
  Value a = combiner->getOperand(first);
  Value b = combiner->getOperand(first + 1);
  return a == out ? b : b == out ? a : Value();
}

// select(x > y, x, y) and its like, where the one is `out` and the other
// `term`: a maximum or a minimum.
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
  // Integer results that take the term's own number under a condition on `out`.
  SmallVector<Place, 1> places;
  for (auto [number, yielded] :
       llvm::enumerate(op.getBlock()->getTerminator()->getOperands())) {
    unsigned position = op.getNumDpsInputs() + number;
    auto select = yielded.getDefiningOp<arith::SelectOp>();
    if (!select || !isa<IntegerType, IndexType>(yielded.getType()) ||
        position >= op.getBlock()->getNumArguments())
      continue;
    Value inBody = otherOperand(select, op.getBlock()->getArgument(position));
    if (inBody && !dependsOnOuts(inBody) &&
        dependsOn(select.getCondition(), out))
      places.push_back({op->getResult(number), inBody});
  }
  return places;
}

// Whatever an infinity is compared with wins, so a place is that of a term.
static bool isInfinite(Value init) {
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    init = fill.getInputs()[0];
  return matchPattern(init, m_NegInfFloat()) ||
         matchPattern(init, m_PosInfFloat());
}

bool StructuredGradient::namesIteration(const Place &place) {
  Value value = place.inBody;
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index && op.getNumReductionLoops() == 1 &&
         op.getIteratorTypesArray()[index.getDim()] == IteratorType::reduction;
}

LogicalResult StructuredGradient::classifyResult(unsigned number,
                                                 Value gradient) {
  Block &body = *op.getBlock();
  Value yielded = body.getTerminator()->getOperand(number);
  unsigned position = op.getNumDpsInputs() + number;
  Value out =
      position < body.getNumArguments() ? body.getArgument(position) : Value();
  AffineMap map = op.getIndexingMapMatchingResult(op->getResult(number));
  if (!isInvertible(map))
    return op.emitOpError()
           << "has no gradient with indexing map " << AffineMapAttr::get(map)
           << " of result " << number
           << ": it must name each dimension by itself; write the op so that "
              "every element "
           << "of the result has iterations of its own";
  if (op.getNumReductionLoops() == 0) {
    // Without reductions an out that is read is one more input.
    results.push_back({number, Kind::Map, yielded, {}, gradient, {}});
    return success();
  }
  Value init = op.getDpsInits()[number];
  if (out && isSumWith(yielded, out)) {
    gradients.add(init, gradient);
    results.push_back({number, Kind::Sum, yielded, {}, gradient, {}});
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
    return op.emitOpError()
           << "has a gradient only when its reduction is a sum, a maximum or a "
              "minimum of result "
           << number
           << " and a value that does not depend on it; write another "
              "reduction as "
           << "one of these, or as a loop of ops that have gradients";
  if (gradients.isNeeded(init))
    return op.emitOpError()
           << "has no gradient for the initial value of a maximum or minimum; "
              "begin it with a "
           << "constant and take the larger or smaller of both afterwards";
  Kind kind = !places.empty() || readsWindows() ? Kind::Selected : Kind::Shared;
  results.push_back({number, kind, term, places, gradient, {}});
  return success();
}

LogicalResult StructuredGradient::classify() {
  if (!op.hasPureTensorSemantics())
    return op.emitOpError() << "has a gradient on tensors only";
  for (OpResult result : op->getResults())
    if (Value gradient = gradients.of(result))
      if (failed(classifyResult(result.getResultNumber(), gradient)))
        return failure();
  return success();
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

SmallVector<Operation *> StructuredGradient::cloneBody(OpBuilder &nested,
                                                       ValueRange arguments,
                                                       ValueRange loops,
                                                       IRMapping &mapping) {
  for (auto [read, argument] : llvm::zip(reads, arguments))
    if (read.inBody)
      mapping.map(read.inBody, argument);
  SmallVector<Operation *> clones;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    auto index = dyn_cast<linalg::IndexOp>(inner);
    if (index && !loops.empty())
      mapping.map(index.getResult(), loops[index.getDim()]);
    else if (!isa<cf::AssertOp>(inner)) // the forward has made sure of it
      clones.push_back(nested.clone(inner, mapping));
  }
  return clones;
}

void StructuredGradient::collectExtents() {
  extents.resize(op.getNumLoops());
  // Every loop is the result of some map by itself: linalg's verifier makes
  // sure of it.
  for (OpOperand &operand : op->getOpOperands())
    for (auto [position, expr] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr);
          dim && !extents[dim.getPosition()])
        extents[dim.getPosition()] = getValueOrCreateConstantIndexOp(
            builder, op.getLoc(),
            tensor::getMixedSize(builder, op.getLoc(), operand.get(),
                                 position));
}

Value StructuredGradient::iterationNumber(OpBuilder &nested, Location where,
                                          ValueRange loops) {
  Value number;
  for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (iterator != IteratorType::reduction)
      continue;
    Value index = loops.empty()
                      ? linalg::IndexOp::create(nested, where, loop).getResult()
                      : loops[loop];
    if (number)
      index = arith::AddIOp::create(
          nested, where,
          arith::MulIOp::create(nested, where, number, extents[loop]), index);
    number = index;
  }
  return arith::IndexCastOp::create(nested, where, nested.getI64Type(), number);
}

Value StructuredGradient::reduceTerms(
    const Result &result, Value init,
    function_ref<Value(OpBuilder &, Location, Value isMine, Value out)>
        combine) {
  Location loc = op.getLoc();
  AffineMap outMap =
      op.getIndexingMapMatchingResult(op->getResult(result.number));
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Read &read : reads) {
    inputs.push_back(read.value);
    maps.push_back(read.map);
  }
  inputs.push_back(op->getResult(result.number));
  for (const Place &place : result.places)
    inputs.push_back(place.chosen);
  maps.append(result.places.size() + 2, outMap);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), inputs, init, maps,
      op.getIteratorTypesArray(),
      [&](OpBuilder &nested, Location where, ValueRange arguments) {
        IRMapping mapping;
        cloneBody(nested, arguments, {}, mapping);
        ValueRange further = arguments.drop_front(reads.size());
        Value isMine = arith::CmpFOp::create(
            nested, where, arith::CmpFPredicate::OEQ,
            mapping.lookupOrDefault(result.term), further.front());
        for (auto [place, chosen] :
             llvm::zip(result.places, further.drop_front())) {
          Value same = arith::CmpIOp::create(
              nested, where, arith::CmpIPredicate::eq,
              mapping.lookupOrDefault(place.inBody), chosen);
          isMine = arith::AndIOp::create(nested, where, isMine, same);
        }
        linalg::YieldOp::create(
            nested, where, combine(nested, where, isMine, arguments.back()));
      });
  eraseDeadOps(*generic.getBody());
  eraseUnusedInputs(generic);
  return generic.getResult(0);
}

// ties[out(i)] = number of terms that are equal to the winner.
Value StructuredGradient::countTies(const Result &result) {
  Value winner = op->getResult(result.number);
  Type element = computeType(getElementTypeOrSelf(winner.getType()));
  Value zeros = constantLike(builder, op.getLoc(), winner, element, 0.0);
  return reduceTerms(
      result, zeros,
      [&](OpBuilder &nested, Location where, Value isMine, Value out) {
        Expression count(nested, where, out);
        return Value(count + count.like(1.0).where(isMine));
      });
}

// first[out(i)] = the lowest iteration number of a term that is equal to the
// winner.
Value StructuredGradient::findFirst(const Result &result) {
  Location loc = op.getLoc();
  Type type = builder.getI64Type();
  Value none = arith::ConstantOp::create(
      builder, loc,
      builder.getI64IntegerAttr(std::numeric_limits<int64_t>::max()));
  Value empty = emptyLike(builder, loc, op->getResult(result.number), type);
  Value init = linalg::FillOp::create(builder, loc, none, empty).getResult(0);
  return reduceTerms(
      result, init,
      [&](OpBuilder &nested, Location where, Value isMine, Value out) {
        Value lower = arith::MinSIOp::create(
            nested, where, iterationNumber(nested, where, {}), out);
        return arith::SelectOp::create(nested, where, isMine, lower, out)
            .getResult();
      });
}

void StructuredGradient::collectInputs(SmallVectorImpl<Value> &inputs,
                                       SmallVectorImpl<AffineMap> &maps) {
  for (const Read &read : reads) {
    inputs.push_back(read.value);
    maps.push_back(read.map);
  }
  for (const Result &result : results) {
    inputs.push_back(result.gradient);
    llvm::append_range(inputs, result.further);
    maps.append(1 + result.further.size(),
                op.getIndexingMapMatchingResult(op->getResult(result.number)));
  }
}

LogicalResult StructuredGradient::sweepBody(OpBuilder &nested, Location where,
                                            ValueRange arguments,
                                            ValueRange loops,
                                            Gradients &inner) {
  IRMapping mapping;
  SmallVector<Operation *> clones =
      cloneBody(nested, arguments, loops, mapping);
  inner.propagate(clones);
  unsigned next = reads.size();
  for (const Result &result : results) {
    Value term = mapping.lookupOrDefault(result.term);
    Expression seed(nested, where, wide(nested, where, arguments[next++]));
    if (result.kind == Kind::Shared) {
      Value winner = arguments[next++];
      Expression ties(nested, where, arguments[next++]);
      Value equal = arith::CmpFOp::create(
          nested, where, arith::CmpFPredicate::OEQ, term, winner);
      seed = (seed / ties).where(equal);
    }
    if (result.kind == Kind::Selected) {
      Value place = result.isNumbered
                        ? iterationNumber(nested, where, loops)
                        : mapping.lookupOrDefault(result.places.front().inBody);
      seed = seed.where(arith::CmpIOp::create(
          nested, where, arith::CmpIPredicate::eq, place, arguments[next++]));
    }
    inner.add(term, seed);
  }
  return reverseSweep(clones, inner);
}

FailureOr<linalg::GenericOp>
StructuredGradient::buildGeneric(ArrayRef<Target> group, ArrayRef<Value> outs,
                                 bool sum) {
  Location loc = op.getLoc();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  collectInputs(inputs, maps);
  SmallVector<IteratorType> iterators(op.getNumLoops(),
                                      IteratorType::reduction);
  for (const Target &target : group) {
    maps.push_back(target.map);
    markParallel(target.map, iterators);
  }
  LogicalResult status = success();
  auto body = [&](OpBuilder &nested, Location where, ValueRange arguments) {
    Gradients inner(nested, nullptr);
    inner.setLocation(where);
    for (const Target &target : group)
      for (unsigned read : target.reads)
        inner.want(arguments[read]);
    status = sweepBody(nested, where, arguments, {}, inner);
    SmallVector<Value> yields;
    for (auto [target, out] :
         llvm::zip(group, arguments.take_back(group.size()))) {
      Value total;
      for (unsigned read : target.reads)
        if (Value part = inner.of(arguments[read]))
          total = total ? arith::AddFOp::create(nested, where, total, part)
                              .getResult()
                        : part;
      if (!total)
        total = constantLike(nested, where, out, out.getType(), 0.0);
      total = convertFloat(nested, where, total, out.getType());
      yields.push_back(
          sum ? arith::AddFOp::create(nested, where, out, total).getResult()
              : total);
    }
    linalg::YieldOp::create(nested, where, yields);
  };
  auto generic =
      linalg::GenericOp::create(builder, loc, ValueRange(outs).getTypes(),
                                inputs, outs, maps, iterators, body);
  if (failed(status))
    return failure();
  eraseDeadOps(*generic.getBody());
  eraseUnusedInputs(generic);
  return generic;
}

FailureOr<Value> StructuredGradient::scatter(Value table, Value init) {
  Location loc = op.getLoc();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  collectInputs(inputs, maps);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> lower(extents.size(), zero), step(extents.size(), one);
  LogicalResult status = success();
  Block *innermost = builder.getInsertionBlock();
  auto body = [&](OpBuilder &nested, Location where, ValueRange loops,
                  ValueRange carried) -> scf::ValueVector {
    innermost = nested.getInsertionBlock();
    SmallVector<Value> arguments;
    for (auto [input, map] : llvm::zip(inputs, maps)) {
      if (!isa<RankedTensorType>(input.getType())) {
        arguments.push_back(input);
        continue;
      }
      SmallVector<Value> place;
      for (AffineExpr expr : map.getResults())
        place.push_back(
            affine::expandAffineExpr(nested, where, expr, loops, ValueRange()));
      arguments.push_back(
          tensor::ExtractOp::create(nested, where, input, place));
    }
    Gradients inner(nested, nullptr);
    inner.setLocation(where);
    inner.wantInto(table, carried.front());
    status = sweepBody(nested, where, arguments, loops, inner);
    return {inner.accumulatorOf(table)};
  };
  scf::LoopNest nest =
      scf::buildLoopNest(builder, loc, lower, extents, step, init, body);
  if (failed(status))
    return failure();
  if (!nest.loops.empty())
    eraseDeadOps(*innermost);
  return nest.results.front();
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
