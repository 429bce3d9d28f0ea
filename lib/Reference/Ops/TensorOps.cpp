// The tensor dialect: shapes, slices, elements.
#include "lib/Reference/ScalarBody.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// Copies `from` with another type and shape; the order of elements stays.
LogicalResult reshaped(Call &call, mlir::Value result, mlir::Value source,
                       ArrayRef<int64_t> shape) {
  ReferenceValue *room = call.make(result, shape);
  if (!room)
    return failure();
  const ReferenceValue &from = call[source];
  if (room->count() != from.count())
    return call.error() << from.count() << " elements do not fill a shape of "
                        << room->count();
  room->reals = from.reals;
  room->integers = from.integers;
  return success();
}

// Advances the index of a row-major walk over `shape`.
void advance(SmallVector<int64_t> &indices, ArrayRef<int64_t> shape) {
  for (int64_t dimension = shape.size() - 1; dimension >= 0; --dimension) {
    if (++indices[dimension] < shape[dimension])
      return;
    indices[dimension] = 0;
  }
}

int64_t positionOf(ArrayRef<int64_t> indices, ArrayRef<int64_t> shape) {
  int64_t position = 0;
  for (auto [index, extent] : llvm::zip_equal(indices, shape))
    position = position * extent + index;
  return position;
}

// Numbers that are static in the op or come from an index operand.
SmallVector<int64_t> numbersOf(Call &call, ArrayRef<OpFoldResult> mixed) {
  SmallVector<int64_t> numbers;
  for (OpFoldResult number : mixed) {
    std::optional<int64_t> constant = getConstantIntValue(number);
    numbers.push_back(constant ? *constant
                               : call[cast<mlir::Value>(number)].integers[0]);
  }
  return numbers;
}

LogicalResult indicesOf(Call &call, ValueRange operands,
                        const ReferenceValue &into,
                        SmallVector<int64_t> &indices) {
  for (auto [operand, extent] : llvm::zip_equal(operands, into.shape)) {
    indices.push_back(call[operand].integers[0]);
    if (indices.back() < 0 || indices.back() >= extent)
      return call.error() << "index " << indices.back() << " is not in 0.."
                          << extent - 1;
  }
  return success();
}

LogicalResult empty(tensor::EmptyOp op, Call &call) {
  // Unwritten elements are undefined; zero makes runs repeatable.
  return success(call.make(op, numbersOf(call, op.getMixedSizes())));
}

LogicalResult dim(tensor::DimOp op, Call &call) {
  const ReferenceValue &source = call[op.getSource()];
  int64_t dimension = call[op.getIndex()].integers[0];
  if (dimension < 0 || dimension >= static_cast<int64_t>(source.shape.size()))
    return call.error() << "no dimension " << dimension;
  int64_t extent = source.extent(dimension);
  call.make(op, {})->integers[0] = extent;
  return success();
}

LogicalResult castShape(tensor::CastOp op, Call &call) {
  SmallVector<int64_t> shape = call[op.getSource()].shape;
  return reshaped(call, op, op.getSource(), shape);
}

LogicalResult collapse(tensor::CollapseShapeOp op, Call &call) {
  const ReferenceValue &source = call[op.getSrc()];
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    int64_t extent = 1;
    for (int64_t dimension : group)
      extent *= source.extent(dimension);
    shape.push_back(extent);
  }
  return reshaped(call, op, op.getSrc(), shape);
}

LogicalResult expand(tensor::ExpandShapeOp op, Call &call) {
  return reshaped(call, op, op.getSrc(),
                  numbersOf(call, op.getMixedOutputShape()));
}

LogicalResult reshape(tensor::ReshapeOp op, Call &call) {
  SmallVector<int64_t> shape(call[op.getShape()].integers.begin(),
                             call[op.getShape()].integers.end());
  return reshaped(call, op, op.getSource(), shape);
}

LogicalResult splat(tensor::SplatOp op, Call &call) {
  SmallVector<int64_t> shape(op.getType().getShape());
  SmallVector<int64_t> sizes;
  for (mlir::Value size : op.getDynamicSizes())
    sizes.push_back(call[size].integers[0]);
  for (int64_t dynamic = 0; int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = sizes[dynamic++];
  ReferenceValue *result = call.make(op, shape);
  if (!result)
    return failure();
  for (int64_t i = 0; i < result->count(); ++i)
    setElement(*result, i, elementOf(call[op.getInput()], 0));
  return success();
}

LogicalResult fromElements(tensor::FromElementsOp op, Call &call) {
  ReferenceValue *result = call.make(op, op.getType().getShape());
  if (!result)
    return failure();
  for (auto [i, element] : llvm::enumerate(op.getElements()))
    setElement(*result, i, elementOf(call[element], 0));
  return success();
}

LogicalResult extract(tensor::ExtractOp op, Call &call) {
  const ReferenceValue &source = call[op.getTensor()];
  SmallVector<int64_t> indices;
  if (failed(indicesOf(call, op.getIndices(), source, indices)))
    return failure();
  Scalar element = elementOf(source, positionOf(indices, source.shape));
  setElement(*call.make(op, {}), 0, element);
  return success();
}

LogicalResult insert(tensor::InsertOp op, Call &call) {
  const ReferenceValue &dest = call[op.getDest()];
  SmallVector<int64_t> indices;
  SmallVector<int64_t> shape = dest.shape;
  if (failed(indicesOf(call, op.getIndices(), dest, indices)) ||
      failed(reshaped(call, op, op.getDest(), shape)))
    return failure();
  auto result = std::make_shared<ReferenceValue>(call[op]);
  setElement(*result, positionOf(indices, shape),
             elementOf(call[op.getScalar()], 0));
  call.set(op, result);
  return success();
}

// Positions of a slice's elements in the whole tensor, in row-major order.
FailureOr<std::vector<int64_t>>
slicePositions(Call &call, OffsetSizeAndStrideOpInterface op,
               ArrayRef<int64_t> wholeShape, SmallVector<int64_t> &sizes) {
  SmallVector<int64_t> offsets = numbersOf(call, op.getMixedOffsets());
  SmallVector<int64_t> strides = numbersOf(call, op.getMixedStrides());
  sizes = numbersOf(call, op.getMixedSizes());
  int64_t count = 1;
  for (auto [offset, size, stride, extent] :
       llvm::zip_equal(offsets, sizes, strides, wholeShape)) {
    if (offset < 0 || size < 0 || stride <= 0 ||
        (size > 0 && (size - 1 > (extent - 1) / stride ||
                      offset > extent - 1 - (size - 1) * stride)))
      return call.error() << "a slice of " << size << " from " << offset
                          << " in steps of " << stride
                          << " leaves an extent of " << extent;
    count *= size;
  }
  std::vector<int64_t> positions;
  SmallVector<int64_t> indices(sizes.size(), 0);
  for (int64_t i = 0; i < count; ++i, advance(indices, sizes)) {
    int64_t position = 0;
    for (auto [index, offset, stride, extent] :
         llvm::zip_equal(indices, offsets, strides, wholeShape))
      position = position * extent + offset + index * stride;
    positions.push_back(position);
  }
  return positions;
}

LogicalResult extractSlice(tensor::ExtractSliceOp op, Call &call) {
  const ReferenceValue &source = call[op.getSource()];
  SmallVector<int64_t> sizes, shape;
  FailureOr<std::vector<int64_t>> positions =
      slicePositions(call, op, source.shape, sizes);
  if (failed(positions))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dimension, size] : llvm::enumerate(sizes))
    if (!dropped.test(dimension))
      shape.push_back(size);
  ReferenceValue *result = call.make(op, shape);
  if (!result)
    return failure();
  for (auto [i, position] : llvm::enumerate(*positions))
    setElement(*result, i, elementOf(call[op.getSource()], position));
  return success();
}

LogicalResult insertSlice(tensor::InsertSliceOp op, Call &call) {
  SmallVector<int64_t> sizes;
  SmallVector<int64_t> shape = call[op.getDest()].shape;
  FailureOr<std::vector<int64_t>> positions =
      slicePositions(call, op, shape, sizes);
  if (failed(positions) || failed(reshaped(call, op, op.getDest(), shape)))
    return failure();
  const ReferenceValue &source = call[op.getSource()];
  if (source.count() != static_cast<int64_t>(positions->size()))
    return call.error() << source.count() << " elements do not fill a slice of "
                        << positions->size();
  auto result = std::make_shared<ReferenceValue>(call[op]);
  for (auto [i, position] : llvm::enumerate(*positions))
    setElement(*result, position, elementOf(source, i));
  call.set(op, result);
  return success();
}

LogicalResult concat(tensor::ConcatOp op, Call &call) {
  size_t along = op.getDim();
  SmallVector<int64_t> shape = call[op.getInputs().front()].shape;
  shape[along] = 0;
  for (mlir::Value input : op.getInputs()) {
    SmallVector<int64_t> expected = shape;
    expected[along] = call[input].extent(along);
    if (failed(call.expectShape(input, expected)))
      return failure();
    shape[along] += expected[along];
  }
  ReferenceValue *result = call.make(op, shape);
  if (!result)
    return failure();
  // The dimensions before the concatenated one count rows. Each input
  // contributes its part of each row.
  int64_t row = result->countFrom(along);
  int64_t rows = row ? result->count() / row : 0;
  int64_t begin = 0;
  for (mlir::Value input : op.getInputs()) {
    int64_t part = call[input].countFrom(along);
    for (int64_t i = 0; i < rows * part; ++i)
      setElement(*result, i / part * row + begin + i % part,
                 elementOf(call[input], i));
    begin += part;
  }
  return success();
}

// Pads with a constant. Negative padding is rejected.
LogicalResult pad(tensor::PadOp op, Call &call) {
  FloatAttr number;
  mlir::Value constant = op.getConstantPaddingValue();
  if (!constant || !matchPattern(constant, m_Constant(&number)))
    return call.error() << "pads with something that is no float constant";
  const ReferenceValue &source = call[op.getSource()];
  SmallVector<int64_t> low = numbersOf(call, op.getMixedLowPad());
  SmallVector<int64_t> high = numbersOf(call, op.getMixedHighPad());
  SmallVector<int64_t> shape;
  for (auto [extent, before, after] :
       llvm::zip_equal(source.shape, low, high)) {
    if (before < 0 || after < 0)
      return call.error() << "padding of " << before << " and " << after
                          << " is negative";
    shape.push_back(extent + before + after);
  }
  ReferenceValue *result = call.make(op, shape);
  if (!result)
    return failure();
  std::fill(result->reals.begin(), result->reals.end(),
            number.getValueAsDouble());
  SmallVector<int64_t> indices(shape.size(), 0);
  for (int64_t i = 0; i < source.count(); ++i, advance(indices, source.shape)) {
    SmallVector<int64_t> moved = indices;
    for (auto [index, before] : llvm::zip_equal(moved, low))
      index += before;
    setElement(*result, positionOf(moved, shape), elementOf(source, i));
  }
  return success();
}

// y[index] = body(index)
LogicalResult generate(tensor::GenerateOp op, Call &call) {
  SmallVector<int64_t> shape(op.getType().getShape());
  unsigned next = 0;
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = call[op.getDynamicExtents()[next++]].integers[0];
  ReferenceValue *result = call.make(op, shape);
  bool rounded =
      call.options().rounding == ReferenceOptions::Rounding::kRounded;
  FailureOr<ScalarBody> body =
      ScalarBody::compile(op.getBody().front(), call, rounded);
  if (!result || failed(body))
    return failure();
  SmallVector<int64_t> indices(shape.size(), 0);
  for (int64_t i = 0; i < result->count(); ++i, advance(indices, shape)) {
    SmallVector<Scalar> arguments;
    for (int64_t index : indices)
      arguments.push_back({0.0, index});
    FailureOr<ArrayRef<Scalar>> yields = body->run(arguments, {});
    if (failed(yields))
      return failure();
    setElement(*result, i, yields->front());
  }
  return success();
}

} // namespace

void reference::addTensorKernels(KernelTable &table) {
  table.add<&empty>();
  table.add<&dim>();
  table.add<&castShape>();
  table.add<&collapse>();
  table.add<&expand>();
  table.add<&reshape>();
  table.add<&splat>();
  table.add<&fromElements>();
  table.add<&extract>();
  table.add<&insert>();
  table.add<&extractSlice>();
  table.add<&insertSlice>();
  table.add<&concat>();
  table.add<&pad>();
  table.add<&generate>();
}
