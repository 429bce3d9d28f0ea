// Gradient rules of tensor, and of pack and unpack: ops that move elements move
// their gradients back.
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nibble;

namespace {

template <typename Op>
using Rule = LogicalResult (*)(Op, OpBuilder &, Gradients &);

template <typename Op, Rule<Op> rule>
struct RuleModel : GradientOpInterface::ExternalModel<RuleModel<Op, rule>, Op> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    return rule(cast<Op>(op), builder, gradients);
  }
};

// The type of a gradient with the shape of `value` and the element type of
// `dy`.
RankedTensorType shapeOf(Value value, Value dy) {
  return cast<RankedTensorType>(
      withElement(value.getType(), getElementTypeOrSelf(dy.getType())));
}

Value zerosLike(OpBuilder &b, Location loc, Value value, Value dy) {
  return constantLike(b, loc, value, getElementTypeOrSelf(dy.getType()), 0.0);
}

LogicalResult castRule(tensor::CastOp op, OpBuilder &b, Gradients &g) {
  Value dy = g.of(op.getDest());
  g.add(op.getSource(), tensor::CastOp::create(
                            b, op.getLoc(), shapeOf(op.getSource(), dy), dy));
  return success();
}

LogicalResult expandShape(tensor::ExpandShapeOp op, OpBuilder &b,
                          Gradients &g) {
  Value dy = g.of(op.getResult());
  g.add(op.getSrc(), tensor::CollapseShapeOp::create(
                         b, op.getLoc(), shapeOf(op.getSrc(), dy), dy,
                         op.getReassociationIndices()));
  return success();
}

LogicalResult collapseShape(tensor::CollapseShapeOp op, OpBuilder &b,
                            Gradients &g) {
  Value dy = g.of(op.getResult());
  g.add(op.getSrc(),
        tensor::ExpandShapeOp::create(b, op.getLoc(), shapeOf(op.getSrc(), dy),
                                      dy, op.getReassociationIndices(),
                                      extentsOf(b, op.getLoc(), op.getSrc())));
  return success();
}

// The order of elements is the same in both shapes, so the same op moves dy
// back.
LogicalResult reshape(tensor::ReshapeOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  auto type = dyn_cast<RankedTensorType>(op.getSource().getType());
  if (!type || !isa<RankedTensorType>(dy.getType()))
    return op.emitOpError() << "has a gradient only between tensors whose "
                               "ranks are known; cast them to ranked types";
  auto shapeType = RankedTensorType::get({type.getRank()}, b.getIndexType());
  Value shape;
  if (type.hasStaticShape()) {
    SmallVector<Attribute> extents(
        llvm::map_range(type.getShape(), [&](int64_t extent) {
          return b.getIndexAttr(extent);
        }));
    shape = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(shapeType, extents));
  } else {
    SmallVector<Value> extents = getValueOrCreateConstantIndexOp(
        b, loc, extentsOf(b, loc, op.getSource()));
    shape = tensor::FromElementsOp::create(b, loc, shapeType, extents);
  }
  g.add(op.getSource(), tensor::ReshapeOp::create(
                            b, loc, shapeOf(op.getSource(), dy), dy, shape));
  return success();
}

// Zeros, with dy in the place of the slice.
LogicalResult extractSlice(tensor::ExtractSliceOp op, OpBuilder &b,
                           Gradients &g) {
  Value dy = g.of(op.getResult());
  g.add(op.getSource(),
        tensor::InsertSliceOp::create(
            b, op.getLoc(), dy, zerosLike(b, op.getLoc(), op.getSource(), dy),
            op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides()));
  return success();
}

LogicalResult insertSlice(tensor::InsertSliceOp op, OpBuilder &b,
                          Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  if (g.isNeeded(op.getSource()))
    g.add(op.getSource(),
          tensor::ExtractSliceOp::create(
              b, loc, shapeOf(op.getSource(), dy), dy, op.getMixedOffsets(),
              op.getMixedSizes(), op.getMixedStrides()));
  if (g.isNeeded(op.getDest()))
    g.add(op.getDest(),
          tensor::InsertSliceOp::create(
              b, loc, zerosLike(b, loc, op.getSource(), dy), dy,
              op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides()));
  return success();
}

// Each part of dy goes to the operand that it came from.
LogicalResult concat(tensor::ConcatOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  int64_t rank = op.getResultType().getRank();
  int64_t dim = op.getDim();
  SmallVector<OpFoldResult> offsets(rank, b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(rank, b.getIndexAttr(1));
  for (Value input : op.getInputs()) {
    SmallVector<OpFoldResult> sizes = extentsOf(b, loc, input);
    if (g.isNeeded(input))
      g.add(input, tensor::ExtractSliceOp::create(b, loc, shapeOf(input, dy),
                                                  dy, offsets, sizes, strides));
    auto known = getConstantIntValue(offsets[dim]);
    auto extent = getConstantIntValue(sizes[dim]);
    if (known && extent) {
      offsets[dim] = b.getIndexAttr(*known + *extent);
    } else {
      Value start = getValueOrCreateConstantIndexOp(b, loc, offsets[dim]);
      Value length = getValueOrCreateConstantIndexOp(b, loc, sizes[dim]);
      offsets[dim] = arith::AddIOp::create(b, loc, start, length).getResult();
    }
  }
  return success();
}

LogicalResult pad(tensor::PadOp op, OpBuilder &b, Gradients &g) {
  if (!op.getConstantPaddingValue())
    return op.emitOpError()
           << "has a gradient only when it pads with a constant";
  Value dy = g.of(op.getResult());
  SmallVector<OpFoldResult> strides(op.getSourceType().getRank(),
                                    b.getIndexAttr(1));
  g.add(op.getSource(),
        tensor::ExtractSliceOp::create(
            b, op.getLoc(), shapeOf(op.getSource(), dy), dy,
            op.getMixedLowPad(), extentsOf(b, op.getLoc(), op.getSource()),
            strides));
  return success();
}

// The gradient so far, with dy added at the element's place.
LogicalResult extract(tensor::ExtractOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  g.accumulate(op.getTensor(), [&](Value init) {
    Expression before(b, loc,
                      tensor::ExtractOp::create(b, loc, init, op.getIndices()));
    Expression sum =
        before +
        Expression(b, loc, convertFloat(b, loc, dy, Value(before).getType()));
    return tensor::InsertOp::create(b, loc, sum, init, op.getIndices())
        .getResult();
  });
  return success();
}

// The scalar gets its element of dy; the destination tensor gets the rest.
LogicalResult insert(tensor::InsertOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  if (g.isNeeded(op.getScalar()))
    g.add(op.getScalar(),
          tensor::ExtractOp::create(b, loc, dy, op.getIndices()));
  if (g.isNeeded(op.getDest())) {
    Type element = getElementTypeOrSelf(dy.getType());
    Value zero =
        arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0.0));
    g.add(op.getDest(),
          tensor::InsertOp::create(b, loc, zero, dy, op.getIndices()));
  }
  return success();
}

// The scalar is in every element, so its gradient is the sum of dy.
LogicalResult splat(tensor::SplatOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = wide(b, loc, g.of(op.getAggregate()));
  auto type = cast<RankedTensorType>(dy.getType());
  auto none = RankedTensorType::get({}, type.getElementType());
  Value zero = arith::ConstantOp::create(
      b, loc,
      DenseElementsAttr::get(none, b.getFloatAttr(none.getElementType(), 0.0)));
  AffineMap maps[] = {b.getMultiDimIdentityMap(type.getRank()),
                      AffineMap::get(type.getRank(), 0, b.getContext())};
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::reduction);
  auto sum = linalg::GenericOp::create(
      b, loc, none, dy, zero, maps, iterators,
      [](OpBuilder &nested, Location where, ValueRange values) {
        Value sum = arith::AddFOp::create(nested, where, values[1], values[0]);
        linalg::YieldOp::create(nested, where, sum);
      });
  g.add(op.getInput(),
        tensor::ExtractOp::create(b, loc, sum.getResult(0), ValueRange()));
  return success();
}

// Each element has one place in the tiles. Padding has no gradient.
LogicalResult pack(linalg::PackOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  if (op.getPaddingValue() && g.isNeeded(op.getPaddingValue()))
    return op.emitOpError()
           << "has a gradient only when it pads with a constant";
  Value dy = g.of(op.getResult());
  Value empty =
      emptyLike(b, loc, op.getSource(), getElementTypeOrSelf(dy.getType()));
  auto unpacked =
      linalg::UnPackOp::create(b, loc, dy, empty, op.getInnerDimsPos(),
                               op.getMixedTiles(), op.getOuterDimsPerm());
  g.add(op.getSource(), unpacked.getResult());
  return success();
}

// Elements of the tiles outside the result are not read, so their gradient is
// 0.
LogicalResult unpack(linalg::UnPackOp op, OpBuilder &b, Gradients &g) {
  Location loc = op.getLoc();
  Value dy = g.of(op.getResult());
  Type element = getElementTypeOrSelf(dy.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0.0));
  Value empty = emptyLike(b, loc, op.getSource(), element);
  auto packed =
      linalg::PackOp::create(b, loc, dy, empty, op.getInnerDimsPos(),
                             op.getMixedTiles(), zero, op.getOuterDimsPerm());
  g.add(op.getSource(), packed.getResult());
  return success();
}

LogicalResult fromElements(tensor::FromElementsOp op, OpBuilder &b,
                           Gradients &g) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getResult().getType());
  for (auto [number, element] : llvm::enumerate(op.getElements())) {
    if (!g.isNeeded(element))
      continue;
    SmallVector<Value> indices(type.getRank());
    int64_t rest = number;
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      indices[dim] =
          arith::ConstantIndexOp::create(b, loc, rest % type.getDimSize(dim));
      rest /= type.getDimSize(dim);
    }
    g.add(element,
          tensor::ExtractOp::create(b, loc, g.of(op.getResult()), indices));
  }
  return success();
}

} // namespace

void nibble::registerTensorGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::CastOp::attachInterface<RuleModel<tensor::CastOp, castRule>>(
        *context);
    tensor::ExpandShapeOp::attachInterface<
        RuleModel<tensor::ExpandShapeOp, expandShape>>(*context);
    tensor::CollapseShapeOp::attachInterface<
        RuleModel<tensor::CollapseShapeOp, collapseShape>>(*context);
    tensor::ReshapeOp::attachInterface<RuleModel<tensor::ReshapeOp, reshape>>(
        *context);
    tensor::ExtractSliceOp::attachInterface<
        RuleModel<tensor::ExtractSliceOp, extractSlice>>(*context);
    tensor::InsertSliceOp::attachInterface<
        RuleModel<tensor::InsertSliceOp, insertSlice>>(*context);
    tensor::ConcatOp::attachInterface<RuleModel<tensor::ConcatOp, concat>>(
        *context);
    tensor::PadOp::attachInterface<RuleModel<tensor::PadOp, pad>>(*context);
    tensor::ExtractOp::attachInterface<RuleModel<tensor::ExtractOp, extract>>(
        *context);
    tensor::InsertOp::attachInterface<RuleModel<tensor::InsertOp, insert>>(
        *context);
    tensor::FromElementsOp::attachInterface<
        RuleModel<tensor::FromElementsOp, fromElements>>(*context);
    tensor::SplatOp::attachInterface<RuleModel<tensor::SplatOp, splat>>(
        *context);
  });
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    linalg::PackOp::attachInterface<RuleModel<linalg::PackOp, pack>>(*context);
    linalg::UnPackOp::attachInterface<RuleModel<linalg::UnPackOp, unpack>>(
        *context);
  });
}
