// Values and loops of the kernel builder. Elementary functions are in
// EmitterMath.cpp, memory in EmitterMemory.cpp.
#include "passes/LowerToHost/Emit/Emitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
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

Value Emitter::i32(int64_t value) {
  return arith::ConstantIntOp::create(*this, getI32Type(), value);
}

Value Emitter::f32(float value) {
  return arith::ConstantFloatOp::create(*this, getF32Type(), APFloat(value));
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

Value Emitter::like(Value like, double value) {
  auto attribute = [&](Type element) -> TypedAttr {
    if (isa<IntegerType>(element))
      return getIntegerAttr(element, static_cast<int64_t>(value));
    return getFloatAttr(element, value);
  };
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(
        *this, vector,
        DenseElementsAttr::get(
            vector, {Attribute(attribute(vector.getElementType()))}));
  return arith::ConstantOp::create(*this, attribute(like.getType()));
}

Value Emitter::addI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && a.getType().isIndex())
    return index(*ca + *cb);
  if (ca && *ca == 0)
    return b;
  if (cb && *cb == 0)
    return a;
  return arith::AddIOp::create(*this, a, b);
}

Value Emitter::subI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && a.getType().isIndex())
    return index(*ca - *cb);
  if (cb && *cb == 0)
    return a;
  return arith::SubIOp::create(*this, a, b);
}

Value Emitter::mulI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && a.getType().isIndex())
    return index(*ca * *cb);
  if (ca && *ca == 1)
    return b;
  if (cb && *cb == 1)
    return a;
  return arith::MulIOp::create(*this, a, b);
}

Value Emitter::divI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && *cb > 0 && a.getType().isIndex())
    return index(*ca / *cb);
  if (cb && *cb == 1)
    return a;
  return arith::DivUIOp::create(*this, a, b);
}

Value Emitter::remI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && *cb > 0 && a.getType().isIndex())
    return index(*ca % *cb);
  return arith::RemUIOp::create(*this, a, b);
}

Value Emitter::ceilDivI(Value a, int64_t b) {
  return divI(addI(a, index(b - 1)), index(b));
}

Value Emitter::minI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
  if (ca && cb && a.getType().isIndex())
    return index(std::min(*ca, *cb));
  return arith::MinUIOp::create(*this, a, b);
}

Value Emitter::maxI(Value a, Value b) {
  auto ca = constantOf(a), cb = constantOf(b);
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

Value Emitter::add(Value a, Value b) {
  return arith::AddFOp::create(*this, a, b);
}
Value Emitter::sub(Value a, Value b) {
  return arith::SubFOp::create(*this, a, b);
}
Value Emitter::mul(Value a, Value b) {
  return arith::MulFOp::create(*this, a, b);
}
Value Emitter::div(Value a, Value b) {
  return arith::DivFOp::create(*this, a, b);
}
Value Emitter::fma(Value a, Value b, Value c) {
  return math::FmaOp::create(*this, a, b, c);
}
Value Emitter::max(Value a, Value b) {
  return arith::MaxNumFOp::create(*this, a, b);
}
Value Emitter::min(Value a, Value b) {
  return arith::MinNumFOp::create(*this, a, b);
}
Value Emitter::neg(Value a) { return arith::NegFOp::create(*this, a); }
Value Emitter::sqrt(Value a) { return math::SqrtOp::create(*this, a); }

// The tree of N11: the upper half onto the lower, four times.
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

void Emitter::loop(Value lower, Value upper, int64_t step,
                   function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(*this, lower, upper, index(step));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value>
Emitter::loop(Value lower, Value upper, int64_t step, ValueRange init,
              function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  if (init.empty()) {
    this->loop(lower, upper, step, [&](Value i) { (void)body(i, {}); });
    return {};
  }
  auto loop = scf::ForOp::create(*this, lower, upper, index(step), init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!init.empty()) // without carried values the loop has its terminator
                     // already
    scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void Emitter::parallel(Value count, function_ref<void(Value)> body) {
  Value zero = index(0), one = index(1);
  auto loop = scf::ParallelOp::create(*this, zero, count, one);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVars().front());
}

void Emitter::ifThen(Value condition, function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

void Emitter::ifThenElse(Value condition, function_ref<void()> body,
                         function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

Value Emitter::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, condition, a, b);
}

Value Emitter::lessI(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, a, b);
}

Value Emitter::equalI(Value a, Value b) {
  return arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, a, b);
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
  // A length known at run time only: the tail is a loop of at most one step.
  return loop(whole, columns, kLanes, carried,
              [&](Value column, ValueRange values) {
                return body(column, rest, values);
              });
}
