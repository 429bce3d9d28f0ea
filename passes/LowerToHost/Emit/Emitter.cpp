// Values and loops of the kernel builder. Memory is in EmitterMemory.cpp.
#include "passes/LowerToHost/Emit/Emitter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble::host;

static std::optional<int64_t> constantOf(Value value) {
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant.getSExtValue();
  return std::nullopt;
}

Value Emitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value Emitter::lanes(float value) {
  auto type = VectorType::get({kLanes}, getF32Type());
  return arith::ConstantOp::create(*this, type,
                                   DenseElementsAttr::get(type, value));
}

Value Emitter::splat(Value scalar, int64_t width) {
  return vector::BroadcastOp::create(
      *this, VectorType::get({width}, scalar.getType()), scalar);
}

Value Emitter::ceilDivI(Value a, int64_t b) {
  return divI(addI(a, index(b - 1)), index(b));
}

Value Emitter::maxI(Value a, Value b) {
  auto ca = constantOf(a);
  auto cb = constantOf(b);
  if (ca && cb && a.getType().isIndex())
    return index(std::max(*ca, *cb));
  return arith::MaxSIOp::create(*this, a, b);
}

Value Emitter::toIndex(Value value) {
  return value.getType().isIndex()
             ? value
             : arith::IndexCastOp::create(*this, getIndexType(), value)
                   .getResult();
}

// The tree of N11: adds the upper half to the lower half, four times.
static Value reduceTree(Emitter &b, Value lanes,
                        function_ref<Value(Value, Value)> combine) {
  for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
    Value low = vector::ExtractStridedSliceOp::create(
        b, lanes, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{half},
        ArrayRef<int64_t>{1});
    Value high = vector::ExtractStridedSliceOp::create(
        b, lanes, ArrayRef<int64_t>{half}, ArrayRef<int64_t>{half},
        ArrayRef<int64_t>{1});
    lanes = combine(low, high);
  }
  return vector::ExtractOp::create(b, lanes, ArrayRef<int64_t>{0});
}

Value Emitter::reduceAdd(Value lanes) {
  return reduceTree(*this, lanes, [&](Value a, Value b) { return add(a, b); });
}

Value Emitter::reduceMax(Value lanes) {
  return reduceTree(*this, lanes, [&](Value a, Value b) { return max(a, b); });
}

void Emitter::parallel(Value count, function_ref<void(Value)> body) {
  Value zero = index(0);
  Value one = index(1);
  auto loop = scf::ParallelOp::create(*this, zero, count, one);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVars().front());
}

Value Emitter::lessI(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}

void Emitter::forLanes(Value columns, function_ref<void(Value, Value)> body) {
  (void)forLanes(columns, ValueRange{},
                 [&](Value column, Value count, ValueRange) {
                   body(column, count);
                   return SmallVector<Value>{};
                 });
}

SmallVector<Value> Emitter::forLanes(
    Value columns, ValueRange init,
    function_ref<SmallVector<Value>(Value, Value, ValueRange)> body) {
  auto known = constantOf(columns);
  Value whole = known ? index(*known / kLanes * kLanes)
                      : mulI(divI(columns, index(kLanes)), index(kLanes));
  SmallVector<Value> carried(init);
  if (!known || *known >= kLanes)
    carried = loop(index(0), whole, kLanes, carried,
                   [&](Value column, ValueRange values) {
                     return body(column, Value(), values);
                   });
  if (known && *known % kLanes == 0)
    return carried;
  Value rest = subI(columns, whole);
  if (known)
    return body(whole, rest, carried);
  // For a dynamic length the tail is a loop of at most one step.
  return loop(whole, columns, kLanes, carried,
              [&](Value column, ValueRange values) {
                return body(column, rest, values);
              });
}
