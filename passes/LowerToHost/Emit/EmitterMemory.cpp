// Loads and stores of the kernel builder: bf16 is widened on the way in and
// rounded to nearest even on the way out.
#include "passes/LowerToHost/Emit/Emitter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble::host;

static Type elementOf(Value memref) {
  return cast<MemRefType>(memref.getType()).getElementType();
}

// float32 of the same shape as `type`.
static Type widened(OpBuilder &b, Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return VectorType::get(vector.getShape(), b.getF32Type());
  return b.getF32Type();
}

static Value widen(Emitter &b, Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  if (!isa<FloatType>(element) || element.isF32())
    return value;
  if (element.isF64())
    return arith::TruncFOp::create(b, widened(b, value.getType()), value);
  return arith::ExtFOp::create(b, widened(b, value.getType()), value);
}

static Value narrow(Emitter &b, Value value, Type element) {
  if (getElementTypeOrSelf(value.getType()) == element ||
      !isa<FloatType>(element))
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vector.getShape(), element);
  return arith::TruncFOp::create(b, type, value);
}

Value Emitter::dim(Value memref, int64_t dimension) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return memref::DimOp::create(*this, memref, dimension);
}

Value Emitter::load(Value memref, ValueRange indices) {
  return widen(*this, memref::LoadOp::create(*this, memref, indices));
}

void Emitter::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(*this, narrow(*this, value, elementOf(memref)),
                          memref, indices);
}

Value Emitter::loadVector(Value memref, ValueRange indices, VectorType type) {
  return vector::LoadOp::create(*this, type, memref, indices);
}

Value Emitter::loadLanes(Value memref, ValueRange indices) {
  return widen(*this, loadVector(memref, indices,
                                 VectorType::get({kLanes}, elementOf(memref))));
}

void Emitter::storeLanes(Value lanes, Value memref, ValueRange indices) {
  vector::StoreOp::create(*this, narrow(*this, lanes, elementOf(memref)),
                          memref, indices);
}

Value Emitter::loadLanes(Value memref, ValueRange indices, Value count,
                         float fill) {
  if (!count)
    return loadLanes(memref, indices);
  Type element = elementOf(memref);
  auto type = VectorType::get({kLanes}, element);
  Value mask = vector::CreateMaskOp::create(
      *this, VectorType::get({kLanes}, getI1Type()), count);
  TypedAttr value = isa<FloatType>(element)
                        ? TypedAttr(getFloatAttr(element, fill))
                        : TypedAttr(getIntegerAttr(element, fill));
  Value pass = arith::ConstantOp::create(
      *this, type, DenseElementsAttr::get(type, {Attribute(value)}));
  return widen(*this, vector::MaskedLoadOp::create(*this, type, memref, indices,
                                                   mask, pass));
}

void Emitter::storeLanes(Value lanes, Value memref, ValueRange indices,
                         Value count) {
  if (!count)
    return storeLanes(lanes, memref, indices);
  // LLVM 22 makes a masked store of one lane that was truncated before a store
  // of the untruncated lane, over what stands beside it.
  APInt constant;
  if (matchPattern(count, m_ConstantInt(&constant)) && constant == 1)
    return store(vector::ExtractOp::create(*this, lanes, ArrayRef<int64_t>{0}),
                 memref, indices);
  Value mask = vector::CreateMaskOp::create(
      *this, VectorType::get({kLanes}, getI1Type()), count);
  vector::MaskedStoreOp::create(*this, memref, indices, mask,
                                narrow(*this, lanes, elementOf(memref)));
}

Value Emitter::roundTo(Value value, Type elementType) {
  return widen(*this, narrow(*this, value, elementType));
}

Value Emitter::scratch(ArrayRef<int64_t> shape, ValueRange dynamic,
                       Type elementType) {
  auto type = MemRefType::get(shape, elementType);
  return memref::AllocOp::create(*this, type, dynamic, getI64IntegerAttr(64));
}
