// Builds float32 and integer arithmetic, loops and branches for every target.
#include "passes/Kernels/Emitter.h"

#include "dialects/ElementType.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nibble::kernels {

Type elementOf(Value memref) {
  return cast<MemRefType>(memref.getType()).getElementType();
}

int64_t columnsOf(Value memref) {
  return cast<MemRefType>(memref.getType()).getShape().back();
}

Value Emitter::i32(int64_t value) {
  return arith::ConstantIntOp::create(*this, getI32Type(), value);
}

Value Emitter::f32(double value) {
  return arith::ConstantOp::create(*this,
                                   getF32FloatAttr(static_cast<float>(value)));
}

Value Emitter::like(Value like, double value) {
  Type element = getElementTypeOrSelf(like.getType());
  TypedAttr scalar =
      isa<FloatType>(element)
          ? TypedAttr(getFloatAttr(element, value))
          : TypedAttr(getIntegerAttr(element, static_cast<int64_t>(value)));
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return arith::ConstantOp::create(
        *this, DenseElementsAttr::get(vector, Attribute(scalar)));
  return arith::ConstantOp::create(*this, scalar);
}

Value Emitter::constantLike(Value like, int64_t value) {
  return arith::ConstantOp::create(*this,
                                   getIntegerAttr(like.getType(), value));
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
Value Emitter::isZero(Value a) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OEQ, a,
                               like(a, 0.0));
}

Value Emitter::widen(Value x) {
  Type element = getElementTypeOrSelf(x.getType());
  if (!isa<FloatType>(element) || element.isF32())
    return x;
  Type type = withElement(x.getType(), getF32Type());
  if (element.isF64())
    return arith::TruncFOp::create(*this, type, x);
  return arith::ExtFOp::create(*this, type, x);
}

Value Emitter::round(Value x, Type element) {
  if (getElementTypeOrSelf(x.getType()) == element || !isa<FloatType>(element))
    return x;
  return arith::TruncFOp::create(*this, withElement(x.getType(), element), x);
}

Value Emitter::bitsOf(Value floats) {
  return arith::BitcastOp::create(
      *this, withElement(floats.getType(), getI32Type()), floats);
}
Value Emitter::floatsOf(Value bits) {
  return arith::BitcastOp::create(
      *this, withElement(bits.getType(), getF32Type()), bits);
}

Value Emitter::addI(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value Emitter::subI(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value Emitter::mulI(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value Emitter::divI(Value a, Value b) {
  return createOrFold<arith::DivUIOp>(a, b);
}
Value Emitter::remI(Value a, Value b) {
  return createOrFold<arith::RemUIOp>(a, b);
}
Value Emitter::minI(Value a, Value b) {
  return createOrFold<arith::MinUIOp>(a, b);
}
Value Emitter::andI(Value a, Value b) {
  return createOrFold<arith::AndIOp>(a, b);
}
Value Emitter::orI(Value a, Value b) {
  return createOrFold<arith::OrIOp>(a, b);
}
Value Emitter::shlI(Value a, Value b) {
  return createOrFold<arith::ShLIOp>(a, b);
}
Value Emitter::shrI(Value a, Value b) {
  return createOrFold<arith::ShRUIOp>(a, b);
}
Value Emitter::less(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, b);
}
Value Emitter::equal(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b);
}
Value Emitter::select(Value condition, Value a, Value b) {
  return createOrFold<arith::SelectOp>(condition, a, b);
}

void Emitter::loop(Value lower, Value upper, int64_t step, Body body) {
  loop(lower, upper, constantLike(lower, step), body);
}

void Emitter::loop(Value lower, Value upper, Value step, Body body) {
  loop(lower, upper, step, ValueRange(),
       [&](Value i, ValueRange) -> SmallVector<Value> {
         body(i);
         return {};
       });
}

SmallVector<Value> Emitter::loop(Value lower, Value upper, int64_t step,
                                 ValueRange init, CarryingBody body) {
  return loop(lower, upper, constantLike(lower, step), init, body);
}

SmallVector<Value> Emitter::loop(Value lower, Value upper, Value step,
                                 ValueRange init, CarryingBody body) {
  auto loop = scf::ForOp::create(*this, lower, upper, step, init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  // Without carried values the builder has created the terminator.
  if (!init.empty())
    scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void Emitter::ifThen(Value condition, llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
}

void Emitter::ifThenElse(Value condition, llvm::function_ref<void()> body,
                         llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  body();
  setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

} // namespace nibble::kernels
