// nn: log-probability, sums, the optimizer.
#include "lib/Reference/Interpreter.h"

#include "dialects/NN/NN.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

LogicalResult checkRows(Call &call, mlir::Value logits, mlir::Value targets,
                        mlir::Value temperature) {
  int64_t tokens = call[logits].extent(0);
  if (failed(call.expectShape(targets, {tokens})) ||
      failed(call.expectShape(temperature, {tokens})))
    return failure();
  return call.expectInRange(targets, call[logits].extent(1));
}

// With x = logits / temperature: the log-probability of the target, the
// logarithm of the sum of exponentials, and the entropy.
LogicalResult logProbability(nn::LogProbabilityOp op, Call &call) {
  const ReferenceValue &logits = call[op.getLogits()];
  const ReferenceValue &targets = call[op.getTargets()];
  const ReferenceValue &temperature = call[op.getTemperature()];
  int64_t tokens = logits.extent(0);
  int64_t V = logits.extent(1);
  if (failed(checkRows(call, op.getLogits(), op.getTargets(),
                       op.getTemperature())))
    return failure();
  ReferenceValue *logp = call.make(op.getLogp(), {tokens});
  ReferenceValue *lse = call.make(op.getLse(), {tokens});
  ReferenceValue *entropy = call.make(op.getEntropy(), {tokens});
  if (!logp || !lse || !entropy)
    return failure();
  Type f32 = lse->elementType();
  for (int64_t t = 0; t < tokens; ++t) {
    auto x = [&](int64_t v) { return logits(t, v) / temperature.reals[t]; };
    double m = -std::numeric_limits<double>::infinity();
    double z = 0.0;
    double weighted = 0.0;
    for (int64_t v = 0; v < V; ++v)
      m = std::fmax(m, x(v));
    for (int64_t v = 0; v < V; ++v) {
      z += std::exp(x(v) - m);
      weighted += std::exp(x(v) - m) * x(v);
    }
    lse->reals[t] = call.round(m + std::log(z), f32);
    logp->reals[t] =
        call.round(x(targets.integers[t]) - (m + std::log(z)), f32);
    entropy->reals[t] = call.round(m + std::log(z) - weighted / z, f32);
  }
  return success();
}

// d logp / d x_v = 1[v == target] - p_v; d entropy / d x_v = -p_v (x_v - lse +
// entropy); d x / d logits = 1 / temperature.
LogicalResult logProbabilityGrad(nn::LogProbabilityGradOp op, Call &call) {
  const ReferenceValue &dlogp = call[op.getDlogp()];
  const ReferenceValue &dentropy = call[op.getDentropy()];
  const ReferenceValue &logits = call[op.getLogits()];
  const ReferenceValue &targets = call[op.getTargets()];
  const ReferenceValue &temperature = call[op.getTemperature()];
  const ReferenceValue &lse = call[op.getLse()];
  const ReferenceValue &entropy = call[op.getEntropy()];
  int64_t tokens = logits.extent(0);
  int64_t V = logits.extent(1);
  if (failed(checkRows(call, op.getLogits(), op.getTargets(),
                       op.getTemperature())))
    return failure();
  for (mlir::Value row :
       {op.getDlogp(), op.getDentropy(), op.getLse(), op.getEntropy()})
    if (failed(call.expectShape(row, {tokens})))
      return failure();
  ReferenceValue *dlogits = call.make(op.getDlogits(), {tokens, V});
  if (!dlogits)
    return failure();
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t v = 0; v < V; ++v) {
      double x = logits(t, v) / temperature.reals[t];
      double p = std::exp(x - lse.reals[t]);
      double isTarget = v == targets.integers[t] ? 1.0 : 0.0;
      double dx = dlogp.reals[t] * (isTarget - p) -
                  dentropy.reals[t] * p * (x - lse.reals[t] + entropy.reals[t]);
      (*dlogits)(t, v) =
          call.round(dx / temperature.reals[t], dlogits->elementType());
    }
  return success();
}

LogicalResult sum(nn::SumOp op, Call &call) {
  double total = 0.0;
  for (double element : call[op.getX()].reals)
    total += element;
  ReferenceValue *result = call.make(op.getSum(), {});
  result->reals[0] = call.round(total, result->elementType());
  return success();
}

LogicalResult broadcast(nn::BroadcastOp op, Call &call) {
  SmallVector<int64_t> shape = call[op.getLike()].shape;
  ReferenceValue *y = call.make(op.getY(), shape);
  if (!y)
    return failure();
  llvm::fill(y->reals, call[op.getX()].reals[0]);
  return success();
}

LogicalResult squareSum(nn::SquareSumOp op, Call &call) {
  double total = call[op.getInit()].reals[0];
  for (mlir::Value x : op.getXs())
    for (double element : call[x].reals)
      total += element * element;
  ReferenceValue *result = call.make(op.getSum(), {});
  result->reals[0] = call.round(total, result->elementType());
  return success();
}

// AdamW with decoupled weight decay (Loshchilov and Hutter). hyper = [learning
// rate a, beta1, beta2, epsilon, decay d, clip scale c, 1 - beta1^t, 1 -
// beta2^t].
LogicalResult adamW(nn::AdamWOp op, Call &call) {
  const ReferenceValue &master = call[op.getMaster()];
  const ReferenceValue &moment1 = call[op.getMoment1()];
  const ReferenceValue &moment2 = call[op.getMoment2()];
  const ReferenceValue &gradient = call[op.getGradient()];
  SmallVector<int64_t> shape = master.shape;
  for (mlir::Value operand :
       {op.getMoment1(), op.getMoment2(), op.getGradient()})
    if (failed(call.expectShape(operand, shape)))
      return failure();
  if (failed(call.expectShape(op.getHyper(), {8})))
    return failure();
  const std::vector<double> &h = call[op.getHyper()].reals;
  double a = h[0];
  double beta1 = h[1];
  double beta2 = h[2];
  double epsilon = h[3];
  double d = h[4];
  double c = h[5];
  ReferenceValue *newMaster = call.make(op.getNewMaster(), shape);
  ReferenceValue *weight = call.make(op.getWeight(), shape);
  ReferenceValue *newMoment1 = call.make(op.getNewMoment1(), shape);
  ReferenceValue *newMoment2 = call.make(op.getNewMoment2(), shape);
  if (!newMaster || !weight || !newMoment1 || !newMoment2)
    return failure();
  Type f32 = newMaster->elementType();
  for (int64_t i = 0; i < master.count(); ++i) {
    double p = master.reals[i];
    double g = gradient.reals[i] * c;
    double m = beta1 * moment1.reals[i] + (1.0 - beta1) * g;
    double v = beta2 * moment2.reals[i] + (1.0 - beta2) * g * g;
    double step = (m / h[6]) / (std::sqrt(v / h[7]) + epsilon) + d * p;
    newMoment1->reals[i] = call.round(m, f32);
    newMoment2->reals[i] = call.round(v, f32);
    newMaster->reals[i] = call.round(p - a * step, f32);
    weight->reals[i] = call.round(newMaster->reals[i], weight->elementType());
  }
  return success();
}

} // namespace

void reference::addLossKernels(KernelTable &table) {
  table.add<&logProbability>();
  table.add<&logProbabilityGrad>();
  table.add<&sum>();
  table.add<&broadcast>();
  table.add<&squareSum>();
  table.add<&adamW>();
}
