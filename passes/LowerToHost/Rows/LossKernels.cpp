// What stands behind the logits: log-probabilities, sums to a scalar, the
// optimizer.
#include "passes/LowerToHost/Emit/Columns.h"
#include "passes/LowerToHost/Emit/Kernels.h"

#include <cfloat>

using namespace mlir;

namespace nibble::host {

namespace {

// A logit of -infinity (a token that is ruled out) has probability 0; this
// keeps its 0 * x from becoming NaN.
Value boundedBelow(Emitter &b, Value x) { return b.max(x, b.lanes(-FLT_MAX)); }

// One pass for the maximum, one for the sums. Division by a positive
// temperature keeps the order, rounding included, so the maximum of the
// quotients is the quotient of the maximum.
LogicalResult emitLogProbability(Kernel &k, nn::LogProbabilityOp::Adaptor op) {
  Emitter &b = k.b;
  Value logits = op.getLogits(), targets = op.getTargets(),
        temperatures = op.getTemperature();
  Value vocabulary = b.index(columnsOf(logits));
  b.parallel(b.dim(logits, 0), [&](Value t) {
    Value temperature = b.load(temperatures, {t}),
          divisor = b.splat(temperature);
    Value largest = b.forLanes(
        vocabulary, {b.lanes(-INFINITY)},
        [&](Value v, Value count, ValueRange best) -> SmallVector<Value> {
          return {
              b.max(best[0], loadPart(b, logits, {t, v}, count, -INFINITY))};
        })[0];
    Value m = b.div(b.reduceMax(largest), temperature), shift = b.splat(m);

    // Sum of exp(x - m), and of exp(x - m) * (x - m): no term of it has the
    // other sign, so nothing cancels.
    SmallVector<Value> sums = b.forLanes(
        vocabulary, {b.lanes(0), b.lanes(0)},
        [&](Value v, Value count, ValueRange sums) -> SmallVector<Value> {
          Value x =
              b.div(loadPart(b, logits, {t, v}, count, -INFINITY), divisor);
          Value distance = b.sub(x, shift), p = b.exp(distance);
          return {b.add(sums[0], p),
                  b.fma(p, boundedBelow(b, distance), sums[1])};
        });
    Value z = b.reduceAdd(sums[0]), logarithm = b.log(z),
          lse = b.add(m, logarithm);
    Value target = b.div(b.load(logits, {t, b.toIndex(b.load(targets, {t}))}),
                         temperature);
    b.store(b.sub(target, lse), k.result(0), {t});
    b.store(lse, k.result(1), {t});
    b.store(b.sub(logarithm, b.div(b.reduceAdd(sums[1]), z)), k.result(2), {t});
  });
  return success();
}

// With x = logits / temperature and p = exp(x - lse):
// dlogits = (dlogp * ([v is the target] - p) - dentropy * p * (x - lse +
// entropy)) / temperature. The row is written as if it had no target, then the
// target's element is written again.
LogicalResult emitLogProbabilityGrad(Kernel &k,
                                     nn::LogProbabilityGradOp::Adaptor op) {
  Emitter &b = k.b;
  Value logits = op.getLogits(), targets = op.getTargets(),
        temperatures = op.getTemperature(), dlogits = k.result(0);
  b.parallel(b.dim(logits, 0), [&](Value t) {
    Value target = b.toIndex(b.load(targets, {t}));
    auto row = [&](Value buffer) { return b.load(buffer, {t}); };
    Value dlogp = row(op.getDlogp()), dentropy = row(op.getDentropy()),
          temperature = row(temperatures), lse = row(op.getLse()),
          entropy = row(op.getEntropy());
    // Sixteen equal lanes for the target: the same operations as for the
    // others.
    Value logit = b.splat(b.load(logits, {t, target}));
    Value dp = b.splat(dlogp), de = b.splat(dentropy),
          divisor = b.splat(temperature), shift = b.splat(lse);
    Value offset = b.splat(entropy);
    auto gradient = [&](Value logit, float isTarget) {
      Value x = b.div(logit, divisor), p = b.exp(b.sub(x, shift));
      Value first = b.mul(dp, b.sub(b.lanes(isTarget), p));
      Value second =
          b.mul(b.mul(de, p), b.add(b.sub(boundedBelow(b, x), shift), offset));
      return b.div(b.sub(first, second), divisor);
    };
    b.forLanes(b.index(columnsOf(logits)), [&](Value v, Value count) {
      storePart(b, gradient(loadPart(b, logits, {t, v}, count), 0), dlogits,
                {t, v}, count);
    });
    b.storeLanes(gradient(logit, 1), dlogits, {t, target}, b.index(1));
  });
  return success();
}

LogicalResult emitSum(Kernel &k, nn::SumOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = op.getX();
  Value lanes = b.forLanes(
      b.dim(x, 0), {b.lanes(0)},
      [&](Value i, Value count, ValueRange sums) -> SmallVector<Value> {
        return {b.add(sums[0], loadPart(b, x, {i}, count))};
      })[0];
  b.store(b.reduceAdd(lanes), k.result(0), {});
  return success();
}

LogicalResult emitBroadcast(Kernel &k, nn::BroadcastOp::Adaptor op) {
  Emitter &b = k.b;
  Value y = k.result(0), lanes = b.splat(b.load(op.getX(), {}));
  b.forLanes(b.dim(y, 0),
             [&](Value i, Value count) { storePart(b, lanes, y, {i}, count); });
  return success();
}

// The rows' sums side by side, then one chain down the rows that starts at what
// the buffer holds.
LogicalResult emitSquareSum(Kernel &k, nn::SquareSumOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = asRows(b, op.getXs().front()), rows = b.dim(x, 0);
  Value columns = b.dim(x, 1);
  Value sums = b.scratch({ShapedType::kDynamic}, {rows}, b.getF32Type());
  b.parallel(rows, [&](Value row) {
    Value lanes = b.forLanes(
        columns, {b.lanes(0)},
        [&](Value i, Value count, ValueRange sum) -> SmallVector<Value> {
          Value v = loadPart(b, x, {row, i}, count);
          return {b.fma(v, v, sum[0])};
        })[0];
    b.store(b.reduceAdd(lanes), sums, {row});
  });
  Value total = b.loop(b.index(0), rows, 1, {b.load(op.getInit(), {})},
                       [&](Value row, ValueRange sum) -> SmallVector<Value> {
                         return {b.add(sum[0], b.load(sums, {row}))};
                       })[0];
  b.store(total, op.getInit(), {});
  return success();
}

// Loshchilov and Hutter's step with decoupled decay; every operation rounded
// once. Everything of an element is read before it is written, since master and
// moments are updated where they lie.
LogicalResult emitAdamW(Kernel &k, nn::AdamWOp::Adaptor op) {
  Emitter &b = k.b;
  SmallVector<Value> state; // master, moments, weight: updated where they lie
  for (Value buffer :
       {op.getMaster(), op.getMoment1(), op.getMoment2(), k.result(3)})
    state.push_back(asRows(b, buffer));
  Value gradient = asRows(b, op.getGradient()), hyper = op.getHyper(),
        columns = b.dim(gradient, 1);
  b.parallel(b.dim(gradient, 0), [&](Value row) {
    SmallVector<Value> h;
    for (int64_t i = 0; i < 8; ++i)
      h.push_back(b.splat(b.load(hyper, {b.index(i)})));
    Value rate = h[0], beta1 = h[1], beta2 = h[2], epsilon = h[3], decay = h[4],
          clip = h[5], bias1 = h[6], bias2 = h[7];
    Value rest1 = b.sub(b.lanes(1), beta1), rest2 = b.sub(b.lanes(1), beta2);
    b.forLanes(columns, [&](Value column, Value count) {
      SmallVector<Value> place = {row, column};
      Value master = loadPart(b, state[0], place, count),
            g = b.mul(loadPart(b, gradient, place, count), clip);
      Value m = b.add(b.mul(beta1, loadPart(b, state[1], place, count)),
                      b.mul(rest1, g));
      Value v = b.add(b.mul(beta2, loadPart(b, state[2], place, count)),
                      b.mul(b.mul(rest2, g), g));
      Value step =
          b.div(b.div(m, bias1), b.add(b.sqrt(b.div(v, bias2)), epsilon));
      Value next =
          b.sub(master, b.mul(rate, b.add(step, b.mul(decay, master))));
      storePart(b, next, state[0], place, count);
      storePart(b, m, state[1], place, count);
      storePart(b, v, state[2], place, count);
      storePart(b, next, state[3], place, count);
    });
  });
  return success();
}

} // namespace

void addLossKernels(KernelTable &table) {
  table.add<nn::LogProbabilityOp>(emitLogProbability);
  table.add<nn::LogProbabilityGradOp>(emitLogProbabilityGrad);
  table.add<nn::SumOp>(emitSum);
  table.add<nn::BroadcastOp>(emitBroadcast);
  table.add<nn::SquareSumOp>(emitSquareSum);
  table.add<nn::AdamWOp>(emitAdamW);
}

} // namespace nibble::host
