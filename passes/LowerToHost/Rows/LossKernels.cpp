// The kernels after the logits: log-probabilities, sums to a scalar, and the
// optimizer.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToHost/Emit/Columns.h"
#include "passes/LowerToHost/Emit/Kernels.h"

using namespace mlir;

namespace nibble::host {

namespace {

// One pass computes the maximum, one the sums. Division by a positive
// temperature keeps the order, rounding included, so the maximum of the
// quotients is the quotient of the maximum.
LogicalResult emitLogProbability(Kernel &k, nn::LogProbabilityOp::Adaptor op) {
  Emitter &b = k.b;
  Value logits = op.getLogits();
  Value targets = op.getTargets();
  Value temperatures = op.getTemperature();
  Value vocabulary = b.index(columnsOf(logits));
  b.parallel(b.dim(logits, 0), [&](Value t) {
    Value temperature = b.load(temperatures, {t});
    Value divisor = b.splat(temperature);
    Value largest = b.forLanes(
        vocabulary, {b.lanes(-INFINITY)},
        [&](Value v, Value count, ValueRange best) -> SmallVector<Value> {
          return {
              b.max(best[0], loadPart(b, logits, {t, v}, count, -INFINITY))};
        })[0];
    Value m = b.div(b.reduceMax(largest), temperature);
    Value shift = b.splat(m);

    // The sums of exp(x - m) and of exp(x - m) * (x - m). The terms of the
    // second have one sign, so nothing cancels.
    SmallVector<Value> sums = b.forLanes(
        vocabulary, {b.lanes(0), b.lanes(0)},
        [&](Value v, Value count, ValueRange sums) -> SmallVector<Value> {
          Value x =
              b.div(loadPart(b, logits, {t, v}, count, -INFINITY), divisor);
          Value distance = b.sub(x, shift);
          Value p = b.exp(distance);
          return {b.add(sums[0], p),
                  b.fma(p, kernels::boundedBelow(b, distance), sums[1])};
        });
    Value z = b.reduceAdd(sums[0]);
    Value logarithm = b.log(z);
    Value lse = b.add(m, logarithm);
    Value target = b.div(b.load(logits, {t, b.toIndex(b.load(targets, {t}))}),
                         temperature);
    b.store(b.sub(target, lse), k.result(0), {t});
    b.store(lse, k.result(1), {t});
    b.store(b.sub(logarithm, b.div(b.reduceAdd(sums[1]), z)), k.result(2), {t});
  });
  return success();
}

// With x = logits / temperature and p = exp(x - lse): dlogits = (dlogp * ([v is
// the target] - p) - dentropy * p * (x - lse + entropy)) / temperature. The row
// is first written as if it had no target; then the target's element is written
// again.
LogicalResult emitLogProbabilityGrad(Kernel &k,
                                     nn::LogProbabilityGradOp::Adaptor op) {
  Emitter &b = k.b;
  Value logits = op.getLogits();
  Value targets = op.getTargets();
  Value temperatures = op.getTemperature();
  Value dlogits = k.result(0);
  b.parallel(b.dim(logits, 0), [&](Value t) {
    Value target = b.toIndex(b.load(targets, {t}));
    auto ofRow = [&](Value buffer) { return b.load(buffer, {t}); };
    Value dlogp = ofRow(op.getDlogp());
    Value dentropy = ofRow(op.getDentropy());
    Value temperature = ofRow(temperatures);
    Value lse = ofRow(op.getLse());
    Value entropy = ofRow(op.getEntropy());
    // Sixteen equal lanes for the target, so that it uses the same operations
    // as the other elements.
    Value logit = b.splat(b.load(logits, {t, target}));
    kernels::LogProbabilityRow row;
    row.dlogp = b.splat(dlogp);
    row.dentropy = b.splat(dentropy);
    row.temperature = b.splat(temperature);
    row.lse = b.splat(lse);
    row.entropy = b.splat(entropy);
    b.forLanes(b.index(columnsOf(logits)), [&](Value v, Value count) {
      storePart(b,
                row.gradient(b, loadPart(b, logits, {t, v}, count), b.lanes(0)),
                dlogits, {t, v}, count);
    });
    b.storeLanes(row.gradient(b, logit, b.lanes(1)), dlogits, {t, target},
                 b.index(1));
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
  Value y = k.result(0);
  Value lanes = b.splat(b.load(op.getX(), {}));
  b.forLanes(b.dim(y, 0),
             [&](Value i, Value count) { storePart(b, lanes, y, {i}, count); });
  return success();
}

// First the sums of all rows, then one chain over the rows that starts at the
// value in the buffer.
LogicalResult emitSquareSum(Kernel &k, nn::SquareSumOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = asRows(b, op.getXs().front());
  Value rows = b.dim(x, 0);
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

// Loshchilov and Hutter's step with decoupled decay, with every operation
// rounded once. All values of an element are read before it is written, since
// master and moments are updated in place.
LogicalResult emitAdamW(Kernel &k, nn::AdamWOp::Adaptor op) {
  Emitter &b = k.b;
  SmallVector<Value> state; // master, moments, weight: updated in place
  for (Value buffer :
       {op.getMaster(), op.getMoment1(), op.getMoment2(), k.result(3)})
    state.push_back(asRows(b, buffer));
  Value gradient = asRows(b, op.getGradient());
  Value hyper = op.getHyper();
  Value columns = b.dim(gradient, 1);
  b.parallel(b.dim(gradient, 0), [&](Value row) {
    SmallVector<Value> hyperparameters;
    for (int64_t i = 0; i < kernels::AdamW::kHyperparameters; ++i)
      hyperparameters.push_back(b.splat(b.load(hyper, {b.index(i)})));
    kernels::AdamW adamW(b, hyperparameters);
    b.forLanes(columns, [&](Value column, Value count) {
      SmallVector<Value> place = {row, column};
      auto load = [&](Value buffer) {
        return loadPart(b, buffer, place, count);
      };
      Value master = load(state[0]);
      Value g = load(gradient);
      Value moment1 = load(state[1]);
      Value moment2 = load(state[2]);
      auto next = adamW.step({master, moment1, moment2}, g);
      storePart(b, next.master, state[0], place, count);
      storePart(b, next.moment1, state[1], place, count);
      storePart(b, next.moment2, state[2], place, count);
      storePart(b, next.master, state[3], place, count);
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
