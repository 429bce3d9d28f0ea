// Verifiers and folds of the qat ops.
#include "dialects/QAT/QAT.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::qat;

#define GET_OP_CLASSES
#include "dialects/QAT/QATOps.cpp.inc"

// N2: the groups of a weight are whole.
static LogicalResult verifyGroups(Operation *op, int64_t k, SchemeAttr scheme) {
  if (std::string problem = numerics::problemOf(scheme.numericsScheme(), k);
      !problem.empty())
    return op->emitOpError() << problem;
  return success();
}

static LogicalResult verifyExtents(Operation *op, RankedTensorType weight,
                                   PackedType packed) {
  if (weight.getShape() != ArrayRef<int64_t>{packed.getN(), packed.getK()})
    return op->emitOpError() << "weight " << weight << " and packed " << packed
                             << " differ in shape";
  return success();
}

LogicalResult FakeQuantOp::verify() {
  auto type = cast<RankedTensorType>(getWeight().getType());
  if (type.isDynamicDim(1))
    return emitOpError() << "N2: K must be known, to be cut into groups";
  return verifyGroups(*this, type.getDimSize(1), getScheme());
}

// N6: applying the same scheme again changes nothing.
OpFoldResult FakeQuantOp::fold(FoldAdaptor) {
  auto inner = getWeight().getDefiningOp<FakeQuantOp>();
  if (inner && inner.getScheme() == getScheme() && getScheme().isFixedPoint())
    return getWeight();
  return {};
}

LogicalResult StraightThroughOp::verify() {
  Block &block = getBody().front();
  if (block.getNumArguments() != 1 ||
      block.getArgument(0).getType() != getInput().getType())
    return emitOpError() << "the body takes one argument of type "
                         << getInput().getType();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || !yield.getValue() ||
      yield.getValue().getType() != getResult().getType())
    return emitOpError() << "the body yields one value of type "
                         << getResult().getType();
  return success();
}

LogicalResult QuantizeOp::verify() {
  return verifyExtents(*this, cast<RankedTensorType>(getWeight().getType()),
                       getPacked().getType());
}

LogicalResult DequantizeOp::verify() {
  return verifyExtents(*this, cast<RankedTensorType>(getWeight().getType()),
                       getPacked().getType());
}

LogicalResult RepackOp::verify() {
  PackedType from = getInput().getType();
  PackedType to = getResult().getType();
  if (from.getN() != to.getN() || from.getK() != to.getK() ||
      from.getScheme() != to.getScheme())
    return emitOpError() << "changes the layout only, not " << from << " to "
                         << to;
  return success();
}

OpFoldResult RepackOp::fold(FoldAdaptor) {
  if (getInput().getType() == getResult().getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<RepackOp>())
    if (inner.getInput().getType() == getResult().getType())
      return inner.getInput();
  return {};
}

LogicalResult LinearOp::verify() {
  auto x = cast<RankedTensorType>(getX().getType());
  auto y = cast<RankedTensorType>(getY().getType());
  PackedType packed = getPacked().getType();
  if (x.getDimSize(1) != packed.getK())
    return emitOpError() << "x " << x << " has another K than " << packed;
  if (y.getDimSize(1) != packed.getN() || y.getDimSize(0) != x.getDimSize(0))
    return emitOpError() << "y " << y << " is not [T, N] of x " << x << " and "
                         << packed;
  if (getBias() && cast<RankedTensorType>(getBias().getType()).getDimSize(0) !=
                       packed.getN())
    return emitOpError() << "bias " << getBias().getType()
                         << " is not [N = " << packed.getN() << "]";
  if (getResidual() && getResidual().getType() != y)
    return emitOpError() << "residual " << getResidual().getType()
                         << " is not of y's type " << y;
  return success();
}

LogicalResult LinearSwigluOp::verify() {
  auto x = cast<RankedTensorType>(getX().getType());
  auto y = cast<RankedTensorType>(getY().getType());
  PackedType packed = getGate().getType();
  if (x.getDimSize(1) != packed.getK())
    return emitOpError() << "x " << x << " has another K than " << packed;
  if (y.getDimSize(1) != packed.getN() || y.getDimSize(0) != x.getDimSize(0))
    return emitOpError() << "y " << y << " is not [T, N] of x " << x << " and "
                         << packed;
  return success();
}

LogicalResult LinearInputGradOp::verify() {
  auto dy = cast<RankedTensorType>(getDy().getType());
  auto dx = cast<RankedTensorType>(getDx().getType());
  PackedType packed = getPacked().getType();
  if (dy.getDimSize(1) != packed.getN())
    return emitOpError() << "dy " << dy << " has another N than " << packed;
  if (dx.getDimSize(1) != packed.getK() || dx.getDimSize(0) != dy.getDimSize(0))
    return emitOpError() << "dx " << dx << " is not [T, K] of dy " << dy
                         << " and " << packed;
  return success();
}
