// nn: gradients of embedding, norms and swiglu, and sums over tokens. The
// gradient of rope is rope with `inverse`.
#include "lib/Reference/Interpreter.h"

#include "dialects/NN/NN.h"

#include <cmath>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// A result that starts as `init`.
ReferenceValue *makeFrom(Call &call, mlir::Value result, mlir::Value init) {
  SmallVector<int64_t> shape = call[init].shape;
  ReferenceValue *value = call.make(result, shape);
  if (value)
    value->reals = call[init].reals;
  return value;
}

LogicalResult roundAll(Call &call, ReferenceValue &value) {
  for (double &element : value.reals)
    element = call.round(element, value.elementType());
  return success();
}

// Each row of dy is added to the row of the table that its token names.
LogicalResult embeddingGrad(nn::EmbeddingGradOp op, Call &call) {
  const ReferenceValue &dy = call[op.getDy()];
  const ReferenceValue &tokens = call[op.getTokens()];
  const ReferenceValue &init = call[op.getInit()];
  int64_t count = tokens.count();
  int64_t features = init.extent(1);
  if (failed(call.expectInRange(op.getTokens(), init.extent(0))) ||
      failed(call.expectShape(op.getDy(), {count, features})))
    return failure();
  ReferenceValue *dtable = makeFrom(call, op.getDtable(), op.getInit());
  if (!dtable)
    return failure();
  for (int64_t t = 0; t < count; ++t)
    for (int64_t f = 0; f < features; ++f)
      (*dtable)(tokens.integers[t], f) += dy(t, f);
  return roundAll(call, *dtable);
}

// y = w * n with n = x * r(x), r = 1 / sqrt(mean(x^2) + epsilon), so dr/dx =
// -r^3 x / D and dx = r * (g - n * mean(g * n)) with g = dy * w.
LogicalResult rmsNormGrad(nn::RMSNormGradOp op, Call &call) {
  const ReferenceValue &dy = call[op.getDy()];
  const ReferenceValue &x = call[op.getX()];
  const ReferenceValue &weight = call[op.getWeight()];
  int64_t tokens = x.extent(0);
  int64_t features = x.extent(1);
  int64_t D = weight.extent(0);
  if (failed(call.expectShape(op.getDy(), {tokens, features})))
    return failure();
  double epsilon = op.getEpsilon().convertToFloat();
  ReferenceValue *dx = call.make(op.getDx(), {tokens, features});
  ReferenceValue *dweight = makeFrom(call, op.getDweight(), op.getInit());
  if (!dx || !dweight)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t block = 0; block < features; block += D) {
      double squares = 0.0, gn = 0.0;
      for (int64_t d = 0; d < D; ++d)
        squares += x(t, block + d) * x(t, block + d);
      double r = 1.0 / std::sqrt(squares / D + epsilon);
      for (int64_t d = 0; d < D; ++d)
        gn += dy(t, block + d) * weight.reals[d] * x(t, block + d) * r;
      for (int64_t d = 0; d < D; ++d) {
        double n = x(t, block + d) * r;
        double g = dy(t, block + d) * weight.reals[d];
        (*dx)(t, block + d) = r * (g - n * gn / D);
        dweight->reals[d] += dy(t, block + d) * n;
      }
    }
  return success(succeeded(roundAll(call, *dx)) &&
                 succeeded(roundAll(call, *dweight)));
}

LogicalResult swigluGrad(nn::SwigluGradOp op, Call &call) {
  const ReferenceValue &dy = call[op.getDy()];
  const ReferenceValue &gate = call[op.getGate()];
  const ReferenceValue &up = call[op.getUp()];
  SmallVector<int64_t> shape = dy.shape;
  if (failed(call.expectShape(op.getGate(), shape)) ||
      failed(call.expectShape(op.getUp(), shape)))
    return failure();
  ReferenceValue *dgate = call.make(op.getDgate(), shape);
  ReferenceValue *dup = call.make(op.getDup(), shape);
  if (!dgate || !dup)
    return failure();
  for (int64_t i = 0; i < dy.count(); ++i) {
    double s = 1.0 / (1.0 + std::exp(-gate.reals[i]));
    dgate->reals[i] =
        dy.reals[i] * up.reals[i] * s * (1.0 + gate.reals[i] * (1.0 - s));
    dup->reals[i] = dy.reals[i] * gate.reals[i] * s;
  }
  return success(succeeded(roundAll(call, *dgate)) &&
                 succeeded(roundAll(call, *dup)));
}

LogicalResult sumTokens(nn::SumTokensOp op, Call &call) {
  const ReferenceValue &x = call[op.getX()];
  int64_t features = call[op.getInit()].extent(0);
  if (failed(call.expectShape(op.getX(), {x.extent(0), features})))
    return failure();
  ReferenceValue *sum = makeFrom(call, op.getSum(), op.getInit());
  if (!sum)
    return failure();
  for (int64_t t = 0; t < x.extent(0); ++t)
    for (int64_t n = 0; n < features; ++n)
      sum->reals[n] += x(t, n);
  return roundAll(call, *sum);
}

} // namespace

void reference::addLayerGradientKernels(KernelTable &table) {
  table.add<&embeddingGrad>();
  table.add<&rmsNormGrad>();
  table.add<&swigluGrad>();
  table.add<&sumTokens>();
}
