// Loads and stores of the kernel builder: loads widen bf16, stores round to
// nearest even.
#include "passes/LowerToHost/Emit/Emitter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble::host;
using nibble::kernels::elementOf;

Value Emitter::dim(Value memref, int64_t dimension) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dimension))
    return index(type.getDimSize(dimension));
  return memref::DimOp::create(*this, memref, dimension);
}

Value Emitter::load(Value memref, ValueRange indices) {
  return widen(memref::LoadOp::create(*this, memref, indices));
}

void Emitter::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(*this, round(value, elementOf(memref)), memref,
                          indices);
}

Value Emitter::loadVector(Value memref, ValueRange indices, VectorType type) {
  return vector::LoadOp::create(*this, type, memref, indices);
}

Value Emitter::loadLanes(Value memref, ValueRange indices) {
  return widen(loadVector(memref, indices,
                          VectorType::get({kLanes}, elementOf(memref))));
}

void Emitter::storeLanes(Value lanes, Value memref, ValueRange indices) {
  vector::StoreOp::create(*this, round(lanes, elementOf(memref)), memref,
                          indices);
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
  return widen(
      vector::MaskedLoadOp::create(*this, type, memref, indices, mask, pass));
}

void Emitter::storeLanes(Value lanes, Value memref, ValueRange indices,
                         Value count) {
  if (!count)
    return storeLanes(lanes, memref, indices);
  // LLVM 22 turns a masked store of one truncated lane into a store of the
  // untruncated lane, which overwrites its neighbours.
  APInt constant;
  if (matchPattern(count, m_ConstantInt(&constant)) && constant == 1)
    return store(vector::ExtractOp::create(*this, lanes, ArrayRef<int64_t>{0}),
                 memref, indices);
  Value mask = vector::CreateMaskOp::create(
      *this, VectorType::get({kLanes}, getI1Type()), count);
  vector::MaskedStoreOp::create(*this, memref, indices, mask,
                                round(lanes, elementOf(memref)));
}

Value Emitter::scratch(ArrayRef<int64_t> shape, ValueRange dynamic,
                       Type elementType) {
  auto type = MemRefType::get(shape, elementType);
  return memref::AllocOp::create(*this, type, dynamic, getI64IntegerAttr(64));
}
