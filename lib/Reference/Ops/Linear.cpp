// nn.linear and qat.linear, and their gradients.
#include "lib/Reference/Interpreter.h"
#include "lib/Reference/Packed.h"

#include "dialects/NN/NN.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// y[t, n] = E(sum_k x[t, k] w[n, k]), then E(y + bias[n]), then E(y +
// residual[t, n]). bias and residual may be null.
LogicalResult linearOf(Call &call, mlir::Value result, mlir::Value input,
                       const ReferenceValue &w, mlir::Value bias,
                       mlir::Value residual) {
  const ReferenceValue &x = call[input];
  int64_t tokens = x.extent(0);
  int64_t N = w.extent(0);
  int64_t K = w.extent(1);
  if (failed(call.expectShape(input, {tokens, K})) ||
      (bias && failed(call.expectShape(bias, {N}))) ||
      (residual && failed(call.expectShape(residual, {tokens, N}))))
    return failure();
  ReferenceValue *y = call.make(result, {tokens, N});
  if (!y)
    return failure();
  Type E = y->elementType();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t n = 0; n < N; ++n) {
      double sum = 0.0;
      for (int64_t k = 0; k < K; ++k)
        sum += x(t, k) * w(n, k);
      sum = call.round(sum, E);
      if (bias)
        sum = call.round(sum + call[bias].reals[n], E);
      if (residual)
        sum = call.round(sum + call[residual](t, n), E);
      (*y)(t, n) = sum;
    }
  return success();
}

// dx[t, k] = E(sum_n dy[t, n] w[n, k])
LogicalResult inputGradOf(Call &call, mlir::Value result, mlir::Value gradient,
                          const ReferenceValue &w) {
  const ReferenceValue &dy = call[gradient];
  int64_t tokens = dy.extent(0);
  int64_t N = w.extent(0);
  int64_t K = w.extent(1);
  if (failed(call.expectShape(gradient, {tokens, N})))
    return failure();
  ReferenceValue *dx = call.make(result, {tokens, K});
  if (!dx)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t k = 0; k < K; ++k) {
      double sum = 0.0;
      for (int64_t n = 0; n < N; ++n)
        sum += dy(t, n) * w(n, k);
      (*dx)(t, k) = call.round(sum, dx->elementType());
    }
  return success();
}

LogicalResult linear(nn::LinearOp op, Call &call) {
  return linearOf(call, op.getY(), op.getX(), call[op.getWeight()],
                  op.getBias(), op.getResidual());
}

LogicalResult linearInputGrad(nn::LinearInputGradOp op, Call &call) {
  return inputGradOf(call, op.getDx(), op.getDy(), call[op.getWeight()]);
}

// dw[n, k] = init[n, k] + sum_t dy[t, n] x[t, k]
LogicalResult linearWeightGrad(nn::LinearWeightGradOp op, Call &call) {
  const ReferenceValue &dy = call[op.getDy()];
  const ReferenceValue &x = call[op.getX()];
  const ReferenceValue &init = call[op.getInit()];
  int64_t tokens = dy.extent(0);
  int64_t N = init.extent(0);
  int64_t K = init.extent(1);
  if (failed(call.expectShape(op.getDy(), {tokens, N})) ||
      failed(call.expectShape(op.getX(), {tokens, K})))
    return failure();
  ReferenceValue *dw = call.make(op.getDweight(), {N, K});
  if (!dw)
    return failure();
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      double sum = init(n, k);
      for (int64_t t = 0; t < tokens; ++t)
        sum += dy(t, n) * x(t, k);
      (*dw)(n, k) = call.round(sum, dw->elementType());
    }
  return success();
}

// The decoded weight has the element type of the other operand's rows.
LogicalResult packedLinear(qat::LinearOp op, Call &call) {
  ReferenceValue weight =
      dequantized(call[op.getPacked()], call[op.getX()].elementType());
  return linearOf(call, op.getY(), op.getX(), weight, op.getBias(),
                  op.getResidual());
}

LogicalResult packedLinearInputGrad(qat::LinearInputGradOp op, Call &call) {
  ReferenceValue weight =
      dequantized(call[op.getPacked()], call[op.getDy()].elementType());
  return inputGradOf(call, op.getDx(), op.getDy(), weight);
}

} // namespace

void reference::addLinearKernels(KernelTable &table) {
  table.add<&linear>();
  table.add<&linearInputGrad>();
  table.add<&linearWeightGrad>();
  table.add<&packedLinear>();
  table.add<&packedLinearInputGrad>();
}
