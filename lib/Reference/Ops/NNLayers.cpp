// nn: embedding, norms, rope, swiglu, take_rows.
#include "lib/Reference/Interpreter.h"

#include "dialects/NN/NN.h"

#include <cmath>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// Row r of y is the row of `table` that entry r of `indices` names.
LogicalResult gatherRows(Call &call, mlir::Value y, mlir::Value table,
                         mlir::Value indices) {
  const ReferenceValue &from = call[table];
  const ReferenceValue &rows = call[indices];
  if (failed(call.expectInRange(indices, from.extent(0))))
    return failure();
  int64_t count = rows.count();
  int64_t features = from.extent(1);
  ReferenceValue *to = call.make(y, {count, features});
  if (!to)
    return failure();
  for (int64_t r = 0; r < count; ++r)
    for (int64_t f = 0; f < features; ++f)
      (*to)(r, f) = from(rows.integers[r], f);
  return success();
}

LogicalResult embedding(nn::EmbeddingOp op, Call &call) {
  return gatherRows(call, op.getY(), op.getTable(), op.getTokens());
}

LogicalResult takeRows(nn::TakeRowsOp op, Call &call) {
  return gatherRows(call, op.getY(), op.getX(), op.getRows());
}

// Each block of D elements is divided by its root mean square, then scaled.
LogicalResult rmsNorm(nn::RMSNormOp op, Call &call) {
  const ReferenceValue &x = call[op.getX()];
  const ReferenceValue &weight = call[op.getWeight()];
  int64_t tokens = x.extent(0);
  int64_t features = x.extent(1);
  int64_t D = weight.extent(0);
  double epsilon = op.getEpsilon().convertToFloat();
  Type E = x.elementType();
  ReferenceValue *y = call.make(op.getY(), {tokens, features});
  if (!y)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t block = 0; block < features; block += D) {
      double squares = 0.0;
      for (int64_t d = 0; d < D; ++d)
        squares += x(t, block + d) * x(t, block + d);
      double r = 1.0 / std::sqrt(squares / D + epsilon);
      for (int64_t d = 0; d < D; ++d)
        (*y)(t, block + d) =
            call.round(weight.reals[d] * call.round(x(t, block + d) * r, E), E);
    }
  return success();
}

// angle = position * frequency is a float32 product. At large positions its
// rounding error far exceeds that of the cosine.
LogicalResult ropeTable(nn::RopeTableOp op, Call &call) {
  const ReferenceValue &positions = call[op.getPositions()];
  ArrayRef<float> frequencies = op.getInverseFrequencies();
  int64_t tokens = positions.count();
  int64_t half = frequencies.size();
  double factor = op.getAttentionFactor().convertToFloat();
  ReferenceValue *cosines = call.make(op.getCos(), {tokens, half});
  ReferenceValue *sines = call.make(op.getSin(), {tokens, half});
  if (!cosines || !sines)
    return failure();
  Type f32 = cosines->elementType();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t i = 0; i < half; ++i) {
      double angle = call.round(
          call.round(positions.integers[t], f32) * frequencies[i], f32);
      (*cosines)(t, i) = call.round(std::cos(angle) * factor, f32);
      (*sines)(t, i) = call.round(std::sin(angle) * factor, f32);
    }
  return success();
}

// Elements i and i + D/2 of each head are rotated as the coordinates of a
// point. `inverse` rotates back.
LogicalResult rope(nn::RopeOp op, Call &call) {
  const ReferenceValue &x = call[op.getX()];
  const ReferenceValue &cosines = call[op.getCos()];
  const ReferenceValue &sines = call[op.getSin()];
  int64_t tokens = x.extent(0);
  int64_t features = x.extent(1);
  int64_t half = cosines.extent(1);
  if (failed(call.expectShape(op.getCos(), {tokens, half})) ||
      failed(call.expectShape(op.getSin(), {tokens, half})))
    return failure();
  double sign = op.getInverse() ? -1.0 : 1.0;
  ReferenceValue *y = call.make(op.getY(), {tokens, features});
  if (!y)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t head = 0; head < features; head += 2 * half)
      for (int64_t i = 0; i < half; ++i) {
        double a = x(t, head + i);
        double b = x(t, head + half + i);
        double c = cosines(t, i);
        double s = sign * sines(t, i);
        (*y)(t, head + i) = call.round(a * c - b * s, y->elementType());
        (*y)(t, head + half + i) = call.round(b * c + a * s, y->elementType());
      }
  return success();
}

LogicalResult swiglu(nn::SwigluOp op, Call &call) {
  const ReferenceValue &gate = call[op.getGate()];
  const ReferenceValue &up = call[op.getUp()];
  if (failed(call.expectShape(op.getUp(), gate.shape)))
    return failure();
  SmallVector<int64_t> shape = gate.shape;
  Type E = gate.elementType();
  ReferenceValue *y = call.make(op.getY(), shape);
  if (!y)
    return failure();
  for (int64_t i = 0; i < gate.count(); ++i) {
    double silu = gate.reals[i] / (1.0 + std::exp(-gate.reals[i]));
    y->reals[i] = call.round(call.round(silu, E) * up.reals[i], E);
  }
  return success();
}

} // namespace

void reference::addLayerKernels(KernelTable &table) {
  table.add<&embedding>();
  table.add<&takeRows>();
  table.add<&rmsNorm>();
  table.add<&ropeTable>();
  table.add<&rope>();
  table.add<&swiglu>();
}
