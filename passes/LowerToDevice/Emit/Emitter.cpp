// Builds the operations of a device thread.
#include "passes/LowerToDevice/Emit/Emitter.h"

using namespace mlir;

namespace nibble::device {

Value Emitter::i64(int64_t value) {
  return arith::ConstantIntOp::create(*this, getI64Type(), value);
}
Value Emitter::boolean(bool value) {
  return arith::ConstantIntOp::create(*this, getI1Type(), value);
}

Value Emitter::ceilDivI(Value a, int64_t b) { return divI(addI(a, b - 1), b); }
Value Emitter::maxI(Value a, Value b) {
  return createOrFold<arith::MaxUIOp>(a, b);
}
Value Emitter::xorI(Value a, Value b) {
  return createOrFold<arith::XOrIOp>(a, b);
}
Value Emitter::wide(Value x) {
  return createOrFold<arith::ExtUIOp>(getI64Type(), x);
}
Value Emitter::narrow(Value x) {
  return createOrFold<arith::TruncIOp>(getI32Type(), x);
}
Value Emitter::lessEqual(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ule, a, b);
}
Value Emitter::both(Value a, Value b) { return andI(a, b); }
Value Emitter::either(Value a, Value b) { return orI(a, b); }
Value Emitter::approximateReciprocal(Value a) {
  return NVVM::RcpApproxFtzF32Op::create(*this, a.getType(), a);
}
Value Emitter::greater(Value a, Value b) {
  return arith::CmpFOp::create(*this, arith::CmpFPredicate::OGT, a, b);
}
Value Emitter::toFloat(Value x) {
  return arith::SIToFPOp::create(*this, getF32Type(), x);
}

Value Emitter::maxHalves(Value a, Value b) {
  Type halves = vectorOf(getI16Type(), 2);
  return bitcast(maxI(bitcast(a, halves), bitcast(b, halves)), getI32Type());
}

Value Emitter::packBf16(Value low, Value high) {
  return bitcast(round(fromElements({low, high}), getBF16Type()), getI32Type());
}

Value Emitter::bitcast(Value x, Type type) {
  return LLVM::BitcastOp::create(*this, type, x);
}

Value Emitter::extract(Value vector, int64_t i) {
  return LLVM::ExtractElementOp::create(*this, vector, i32(i));
}
Value Emitter::insert(Value scalar, Value vector, int64_t i) {
  return LLVM::InsertElementOp::create(*this, vector, scalar, i32(i));
}
Value Emitter::splat(Value scalar, int64_t width) {
  SmallVector<Value> elements(width, scalar);
  return fromElements(elements);
}
Value Emitter::fromElements(ArrayRef<Value> elements) {
  Value vector = LLVM::PoisonOp::create(
      *this, vectorOf(elements.front().getType(), elements.size()));
  for (auto [i, element] : llvm::enumerate(elements))
    vector = insert(element, vector, i);
  return vector;
}
Value Emitter::zeros(int64_t width) {
  return arith::ConstantOp::create(
      *this, DenseElementsAttr::get(vectorOf(getF32Type(), width), 0.0f));
}

Value Emitter::thread() {
  return NVVM::ThreadIdXOp::create(*this, getI32Type());
}
Value Emitter::block(int dimension) {
  if (dimension == 0)
    return NVVM::BlockIdXOp::create(*this, getI32Type());
  if (dimension == 1)
    return NVVM::BlockIdYOp::create(*this, getI32Type());
  return NVVM::BlockIdZOp::create(*this, getI32Type());
}
Value Emitter::lane() { return andI(thread(), 31); }
Value Emitter::warp() { return shrI(thread(), 5); }
Value Emitter::uniform(Value x) { return shuffle(x, i32(0)); }

Value Emitter::at(Value pointer, Type element, Value index) {
  return LLVM::GEPOp::create(
      *this, pointer.getType(), element, pointer,
      ArrayRef<LLVM::GEPArg>{index.getType().isInteger(32) ? wide(index)
                                                           : index});
}
Value Emitter::atByte(Value pointer, Value index) {
  return at(pointer, getI8Type(), index);
}
Value Emitter::place(Value row, Value stride, Value column) {
  auto i64Of = [&](Value x) { return x.getType().isInteger(32) ? wide(x) : x; };
  return addI(mulI(i64Of(row), i64Of(stride)), i64Of(column));
}

static int64_t naturalAlignment(Type type) {
  int64_t bits = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  if (auto vector = dyn_cast<VectorType>(type))
    bits *= vector.getNumElements();
  return std::max<int64_t>(1, bits / 8);
}

Value Emitter::load(Value pointer, Type type, int64_t alignment) {
  return LLVM::LoadOp::create(*this, type, pointer,
                              alignment ? alignment : naturalAlignment(type));
}
void Emitter::store(Value value, Value pointer, int64_t alignment) {
  LLVM::StoreOp::create(*this, value, pointer,
                        alignment ? alignment
                                  : naturalAlignment(value.getType()));
}
Value Emitter::sharedAddress(Value shared) {
  return LLVM::PtrToIntOp::create(*this, getI32Type(), shared);
}

void Emitter::barrier() { NVVM::Barrier0Op::create(*this); }
void Emitter::barrier(int64_t id, int64_t threads) {
  NVVM::BarrierOp::create(*this, TypeRange(), i32(id), i32(threads), {},
                          Value());
}
void Emitter::syncWarp() { NVVM::SyncWarpOp::create(*this, i32(-1)); }

Value Emitter::shuffleXor(Value x, int64_t mask) {
  return NVVM::ShflOp::create(*this, x.getType(), i32(-1), x, i32(mask),
                              i32(31), NVVM::ShflKind::bfly, UnitAttr());
}
Value Emitter::shuffle(Value x, Value lane) {
  return NVVM::ShflOp::create(*this, x.getType(), i32(-1), x, lane, i32(31),
                              NVVM::ShflKind::idx, UnitAttr());
}
Value Emitter::warpSum(Value x) {
  for (int64_t mask = 16; mask > 0; mask /= 2)
    x = add(x, shuffleXor(x, mask));
  return x;
}
Value Emitter::warpMax(Value x) {
  for (int64_t mask = 16; mask > 0; mask /= 2)
    x = max(x, shuffleXor(x, mask));
  return x;
}

Value Emitter::blockReduce(Value x, Value scratch, int64_t threads,
                           Value (Emitter::*warpReduce)(Value),
                           double identity) {
  x = (this->*warpReduce)(x);
  if (threads == 32)
    return x;
  Value lane = this->lane();
  barrier(); // all threads have read the previous reduction
  ifThen(equal(lane, 0), [&] { store(x, at(scratch, getF32Type(), warp())); });
  barrier();
  Value mine = ifValue(
      less(lane, threads / 32),
      [&] { return load(at(scratch, getF32Type(), lane), getF32Type()); },
      [&] { return f32(identity); });
  return (this->*warpReduce)(mine);
}
Value Emitter::blockSum(Value x, Value scratch, int64_t threads) {
  return blockReduce(x, scratch, threads, &Emitter::warpSum, 0.0);
}
Value Emitter::blockMax(Value x, Value scratch, int64_t threads) {
  return blockReduce(x, scratch, threads, &Emitter::warpMax, -INFINITY);
}

void Emitter::fenceAsync() {
  NVVM::FenceProxyOp::create(
      *this, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(getContext(), NVVM::SharedSpace::shared_cta));
}

void Emitter::doWhile(
    ValueRange init,
    llvm::function_ref<std::pair<Value, SmallVector<Value>>(ValueRange)> body) {
  scf::WhileOp::create(
      *this, init.getTypes(), init,
      [&](OpBuilder &, Location, ValueRange carried) {
        auto [again, next] = body(carried);
        scf::ConditionOp::create(*this, again, next);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::YieldOp::create(*this, carried);
      });
}
SmallVector<Value>
Emitter::loopWhile(ValueRange init,
                   llvm::function_ref<Value(ValueRange)> condition,
                   llvm::function_ref<SmallVector<Value>(ValueRange)> body) {
  auto loop = scf::WhileOp::create(
      *this, init.getTypes(), init,
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::ConditionOp::create(*this, condition(carried), carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        scf::YieldOp::create(*this, body(carried));
      });
  return SmallVector<Value>(loop.getResults());
}
void Emitter::writeRegion(Region &region, llvm::function_ref<void()> body) {
  OpBuilder::InsertionGuard guard(*this);
  createBlock(&region);
  body();
}
Value Emitter::ifValue(Value condition, llvm::function_ref<Value()> body,
                       llvm::function_ref<Value()> otherwise) {
  auto branch = scf::IfOp::create(
      *this, condition,
      [&](OpBuilder &inner, Location) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
        Value value = body();
        scf::YieldOp::create(*this, value);
      },
      [&](OpBuilder &inner, Location) {
        OpBuilder::InsertionGuard guard(*this);
        setInsertionPoint(inner.getInsertionBlock(), inner.getInsertionPoint());
        Value value = otherwise();
        scf::YieldOp::create(*this, value);
      });
  return branch.getResult(0);
}

} // namespace nibble::device
