// Builds the loops of a structured op's gradient, as generics and loop nests:
// the op's body, followed by the reverse sweep of that body.
#include "passes/Differentiate/Rules/Expression.h"
#include "passes/Differentiate/Rules/LinalgGradients.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <limits>

using namespace mlir;
using namespace nibble;
using mlir::utils::IteratorType;

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

// Removes inputs that the body does not read, as long as the remaining ones
// determine the loops' extents.
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

// Marks dimensions that `map` uses once and alone as parallel, because they
// visit each element once.
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
SmallVector<Operation *> StructuredGradient::cloneBody(OpBuilder &nested,
                                                       ValueRange arguments,
                                                       ValueRange loops,
                                                       IRMapping &mapping) {
  for (auto [read, argument] : llvm::zip(reads_, arguments))
    if (read.inBody)
      mapping.map(read.inBody, argument);
  SmallVector<Operation *> clones;
  for (Operation &inner : op_.getBlock()->without_terminator()) {
    auto index = dyn_cast<linalg::IndexOp>(inner);
    if (index && !loops.empty())
      mapping.map(index.getResult(), loops[index.getDim()]);
    else if (!isa<cf::AssertOp>(inner)) // the forward has checked it
      clones.push_back(nested.clone(inner, mapping));
  }
  return clones;
}

void StructuredGradient::collectExtents() {
  extents_.resize(op_.getNumLoops());
  // Linalg's verifier guarantees that every loop is a result of some map by
  // itself.
  for (OpOperand &operand : op_->getOpOperands())
    for (auto [position, expr] :
         llvm::enumerate(op_.getMatchingIndexingMap(&operand).getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr);
          dim && !extents_[dim.getPosition()])
        extents_[dim.getPosition()] = getValueOrCreateConstantIndexOp(
            builder_, op_.getLoc(),
            tensor::getMixedSize(builder_, op_.getLoc(), operand.get(),
                                 position));
}

Value StructuredGradient::iterationNumber(OpBuilder &nested, Location where,
                                          ValueRange loops) {
  Value number;
  for (auto [loop, iterator] : llvm::enumerate(op_.getIteratorTypesArray())) {
    if (iterator != IteratorType::reduction)
      continue;
    Value index = loops.empty()
                      ? linalg::IndexOp::create(nested, where, loop).getResult()
                      : loops[loop];
    if (number)
      index = arith::AddIOp::create(
          nested, where,
          arith::MulIOp::create(nested, where, number, extents_[loop]), index);
    number = index;
  }
  return arith::IndexCastOp::create(nested, where, nested.getI64Type(), number);
}

Value StructuredGradient::reduceTerms(
    const Result &result, Value init,
    function_ref<Value(OpBuilder &, Location, Value isMine, Value out)>
        combine) {
  Location loc = op_.getLoc();
  AffineMap outMap =
      op_.getIndexingMapMatchingResult(op_->getResult(result.number));
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Read &read : reads_) {
    inputs.push_back(read.value);
    maps.push_back(read.map);
  }
  inputs.push_back(op_->getResult(result.number));
  for (const Place &place : result.places)
    inputs.push_back(place.chosen);
  maps.append(result.places.size() + 2, outMap);
  auto generic = linalg::GenericOp::create(
      builder_, loc, init.getType(), inputs, init, maps,
      op_.getIteratorTypesArray(),
      [&](OpBuilder &nested, Location where, ValueRange arguments) {
        IRMapping mapping;
        cloneBody(nested, arguments, {}, mapping);
        ValueRange further = arguments.drop_front(reads_.size());
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

// ties[out(i)] = the number of terms equal to the winner.
Value StructuredGradient::countTies(const Result &result) {
  Value winner = op_->getResult(result.number);
  Type element = computeType(getElementTypeOrSelf(winner.getType()));
  Value zeros = constantLike(builder_, op_.getLoc(), winner, element, 0.0);
  return reduceTerms(
      result, zeros,
      [&](OpBuilder &nested, Location where, Value isMine, Value out) {
        Expression count(nested, where, out);
        return Value(count + count.like(1.0).where(isMine));
      });
}

// first[out(i)] = the lowest iteration number of a term equal to the winner.
Value StructuredGradient::findFirst(const Result &result) {
  Location loc = op_.getLoc();
  Type type = builder_.getI64Type();
  Value none = arith::ConstantOp::create(
      builder_, loc,
      builder_.getI64IntegerAttr(std::numeric_limits<int64_t>::max()));
  Value empty = emptyLike(builder_, loc, op_->getResult(result.number), type);
  Value init = linalg::FillOp::create(builder_, loc, none, empty).getResult(0);
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
  for (const Read &read : reads_) {
    inputs.push_back(read.value);
    maps.push_back(read.map);
  }
  for (const Result &result : results_) {
    inputs.push_back(result.gradient);
    llvm::append_range(inputs, result.further);
    maps.append(1 + result.further.size(), op_.getIndexingMapMatchingResult(
                                               op_->getResult(result.number)));
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
  unsigned next = reads_.size();
  for (const Result &result : results_) {
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
  Location loc = op_.getLoc();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  collectInputs(inputs, maps);
  SmallVector<IteratorType> iterators(op_.getNumLoops(),
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
      linalg::GenericOp::create(builder_, loc, ValueRange(outs).getTypes(),
                                inputs, outs, maps, iterators, body);
  if (failed(status))
    return failure();
  eraseDeadOps(*generic.getBody());
  eraseUnusedInputs(generic);
  return generic;
}

FailureOr<Value> StructuredGradient::scatter(Value table, Value init) {
  Location loc = op_.getLoc();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  collectInputs(inputs, maps);
  Value zero = arith::ConstantIndexOp::create(builder_, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder_, loc, 1);
  SmallVector<Value> lower(extents_.size(), zero);
  SmallVector<Value> step(extents_.size(), one);
  LogicalResult status = success();
  Block *innermost = builder_.getInsertionBlock();
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
      scf::buildLoopNest(builder_, loc, lower, extents_, step, init, body);
  if (failed(status))
    return failure();
  if (!nest.loops.empty())
    eraseDeadOps(*innermost);
  return nest.results.front();
}
