// Sums the columns of a buffer.
#include "passes/LowerToHost/Emit/Columns.h"

using namespace mlir;

namespace nibble::host {

Value loadPart(Emitter &b, Value buffer, ValueRange indices, Value count,
               float fill) {
  return count ? b.loadLanes(buffer, indices, count, fill)
               : b.loadLanes(buffer, indices);
}

void storePart(Emitter &b, Value lanes, Value buffer, ValueRange indices,
               Value count) {
  if (count)
    b.storeLanes(lanes, buffer, indices, count);
  else
    b.storeLanes(lanes, buffer, indices);
}

SmallVector<Value> ColumnBlock::place(ArrayRef<Value> leading, int64_t i,
                                      Value offset) {
  Value column = b.addI(first, b.index(i * kLanes));
  if (offset)
    column = b.addI(column, offset);
  SmallVector<Value> indices(leading);
  indices.push_back(column);
  return indices;
}

Value ColumnBlock::load(Value buffer, ArrayRef<Value> leading, int64_t i,
                        Value offset) {
  return loadPart(b, buffer, place(leading, i, offset),
                  i + 1 == vectors ? tail : Value());
}

void ColumnBlock::store(Value lanes, Value buffer, ArrayRef<Value> leading,
                        int64_t i) {
  storePart(b, lanes, buffer, place(leading, i, {}),
            i + 1 == vectors ? tail : Value());
}

void parallelColumns(Emitter &b, int64_t columns,
                     function_ref<void(ColumnBlock)> body) {
  // Four vectors read a whole cache line of bf16 twice. Ragged widths use one
  // vector with a tail.
  int64_t vectors = columns % 64 == 0 ? 4 : columns % 32 == 0 ? 2 : 1;
  int64_t width = vectors * kLanes;
  b.parallel(b.index((columns + width - 1) / width), [&](Value block) {
    Value first = b.mulI(block, b.index(width));
    Value tail;
    if (columns % kLanes != 0)
      tail = b.minI(b.subI(b.index(columns), first), b.index(kLanes));
    body(ColumnBlock{b, first, vectors, tail});
  });
}

Value asRows(Emitter &b, Value buffer) {
  int64_t rank = bufferType(buffer).getRank();
  if (rank == 2)
    return buffer;
  if (rank == 1) {
    SmallVector<OpFoldResult> shape = {b.getIndexAttr(1)};
    int64_t extent = columnsOf(buffer);
    if (ShapedType::isDynamic(extent))
      shape.push_back(b.dim(buffer, 0));
    else
      shape.push_back(b.getIndexAttr(extent));
    return memref::ExpandShapeOp::create(
        b, SmallVector<int64_t>{1, extent}, buffer,
        SmallVector<ReassociationIndices>{{0, 1}}, shape);
  }
  ReassociationIndices leading;
  for (int64_t i = 0; i + 1 < rank; ++i)
    leading.push_back(i);
  return memref::CollapseShapeOp::create(
      b, buffer, SmallVector<ReassociationIndices>{leading, {rank - 1}});
}

} // namespace nibble::host
