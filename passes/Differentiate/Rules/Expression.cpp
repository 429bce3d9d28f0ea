// Types, conversions and constants for the arithmetic of gradient rules.
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nibble {

Type computeType(Type element) {
  auto type = cast<FloatType>(element);
  return type.getWidth() < 32 ? Float32Type::get(element.getContext()) : type;
}

Value wide(OpBuilder &builder, Location loc, Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  return convertFloat(builder, loc, value,
                      withElement(value.getType(), computeType(element)));
}

Value convertFloat(OpBuilder &builder, Location loc, Value value, Type type) {
  auto from = cast<FloatType>(getElementTypeOrSelf(value.getType()));
  auto to = cast<FloatType>(getElementTypeOrSelf(type));
  Type result = withElement(value.getType(), to);
  if (from == to)
    return value;
  // A value that was widened temporarily is returned in its original form.
  if (auto extended = value.getDefiningOp<arith::ExtFOp>();
      extended && extended.getIn().getType() == result)
    return extended.getIn();
  if (from.getWidth() < to.getWidth())
    return arith::ExtFOp::create(builder, loc, result, value);
  if (from.getWidth() > to.getWidth())
    return arith::TruncFOp::create(builder, loc, result, value);
  // bf16 and f16 are converted through float32.
  return convertFloat(builder, loc, wide(builder, loc, value), type);
}

SmallVector<OpFoldResult> extentsOf(OpBuilder &builder, Location loc,
                                    Value tensor) {
  return tensor::getMixedSizes(builder, loc, tensor);
}

Value emptyLike(OpBuilder &builder, Location loc, Value like, Type element) {
  return tensor::EmptyOp::create(builder, loc, extentsOf(builder, loc, like),
                                 element);
}

Value constantLike(OpBuilder &builder, Location loc, Value like, Type element,
                   double number) {
  Value scalar = arith::ConstantOp::create(
      builder, loc, builder.getFloatAttr(element, number));
  auto tensor = dyn_cast<RankedTensorType>(like.getType());
  if (!tensor)
    return scalar;
  if (tensor.getRank() == 0) {
    auto type = RankedTensorType::get({}, element);
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, builder.getFloatAttr(element, number)));
  }
  // Filled instead of a constant, because a large splat would become data of
  // the program.
  return linalg::FillOp::create(builder, loc, scalar,
                                emptyLike(builder, loc, like, element))
      .getResult(0);
}

} // namespace nibble
