// arith and math over scalars and whole tensors, and constants.
#include "lib/Reference/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

// out[i] = f(a[i], b[i], ...). A scalar operand, such as the condition of
// arith.select, is used for every i.
static LogicalResult elementwise(Call &call) {
  Operation *op = call.op;
  ArrayRef<int64_t> shape;
  for (mlir::Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      shape = call[operand].shape;
  SmallVector<const ReferenceValue *> operands;
  for (mlir::Value operand : op->getOperands()) {
    if (isa<RankedTensorType>(operand.getType()) &&
        failed(call.expectShape(operand, shape)))
      return failure();
    operands.push_back(&call[operand]);
  }
  // `make` may move the entries of the environment, but not the values.
  SmallVector<int64_t> extents(shape);
  ReferenceValue *result = call.make(op->getResult(0), extents);
  if (!result)
    return failure();
  ScalarFunction function = findScalarFunction(op->getName().getStringRef());
  bool rounded =
      call.options().rounding == ReferenceOptions::Rounding::kRounded;
  Type element = result->elementType();
  SmallVector<Scalar> in(operands.size());
  for (int64_t i = 0, count = result->count(); i < count; ++i) {
    for (auto [value, operand] : llvm::zip_equal(in, operands))
      value = elementOf(*operand, isa<RankedTensorType>(operand->type) ? i : 0);
    Scalar out;
    if (!function(op, in, out))
      return call.error() << "element " << i
                          << " has no value (division by zero, or a number "
                             "that does not fit)";
    setElement(*result, i, finish(out, element, rounded));
  }
  return success();
}

// The value of a float attribute as float64, which represents every supported
// float type exactly.
static double realOf(APFloat value) {
  bool lossy = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return value.convertToDouble();
}

static LogicalResult constant(arith::ConstantOp op, Call &call) {
  Attribute attribute = op.getValue();
  Type element = getElementTypeOrSelf(op.getType());
  auto tensor = dyn_cast<RankedTensorType>(op.getType());
  if (!element.isIntOrIndex() && !isa<FloatType>(element))
    return call.error() << "a constant of type " << op.getType()
                        << " has no meaning here";
  ReferenceValue *result = call.make(
      op.getResult(), tensor ? tensor.getShape() : ArrayRef<int64_t>());
  if (!result)
    return failure();
  // i1: 0 or 1.
  auto integerOf = [&](const APInt &value) {
    return wrapTo(value.sextOrTrunc(64).getSExtValue(), element);
  };
  if (auto real = dyn_cast<FloatAttr>(attribute)) {
    result->reals[0] = realOf(real.getValue());
    return success();
  }
  if (auto integer = dyn_cast<IntegerAttr>(attribute)) {
    result->integers[0] = integerOf(integer.getValue());
    return success();
  }
  auto dense = dyn_cast<DenseElementsAttr>(attribute);
  if (!dense)
    return call.error() << "a constant of this form has no meaning here: "
                        << attribute;
  if (result->isReal())
    for (auto [to, from] :
         llvm::zip_equal(result->reals, dense.getValues<APFloat>()))
      to = realOf(from);
  else
    for (auto [to, from] :
         llvm::zip_equal(result->integers, dense.getValues<APInt>()))
      to = integerOf(from);
  return success();
}

void reference::addElementwiseKernels(KernelTable &table) {
  ScalarTable scalars;
  addArithScalars(scalars);
  addMathScalars(scalars);
  for (const auto &entry : scalars)
    table.add(entry.getKey(), elementwise);
  table.add<&constant>();
}
