// The kernels after the logits: log-probabilities and their gradient.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

using namespace mlir;

namespace nibble::device {

namespace {

// Rows of logits are divided into parts of 8192, so that a few long rows fill
// the machine as well as many. A block handles a part. Each of its threads has
// 32 logits, with all loads in flight at once. The order of sums depends on the
// vocabulary alone (N13).
struct LogitParts {
  static constexpr int64_t kPerThread = 32;
  static constexpr int64_t kColumns = kThreads * kPerThread;
  int64_t vocabulary, width, parts;

  explicit LogitParts(Value logits)
      : vocabulary(columnsOf(logits)), width(4),
        parts((vocabulary + kColumns - 1) / kColumns) {
    while (vocabulary % width != 0)
      width /= 2;
  }
  std::string key(StringRef name) const {
    return name.str() + "_" + std::to_string(vocabulary);
  }
  Value row(Emitter &b) const { return b.divI(b.block(), parts); }
  Value part(Emitter &b) const { return b.remI(b.block(), parts); }
  // The column of the thread's access number `i`. It is completely inside or
  // completely beyond the vocabulary.
  Value column(Emitter &b, int64_t i) const {
    return b.addI(b.mulI(part(b), kColumns),
                  b.mulI(b.addI(b.thread(), i * kThreads), width));
  }
  Value place(Emitter &b, Value column) const {
    return b.place(row(b), vocabulary, column);
  }
  // The thread's logits as vectors of `width`; -infinity beyond the vocabulary.
  SmallVector<Value> load(Emitter &b, Value logits) const {
    SmallVector<Value> loaded;
    for (int64_t i = 0; i < kPerThread / width; ++i) {
      Value column = this->column(b, i);
      loaded.push_back(b.ifValue(
          b.less(column, vocabulary),
          [&] {
            return loadFloats(b, logits, b.getF32Type(), place(b, column),
                              width);
          },
          [&] { return b.splat(b.f32(-INFINITY), width); }));
    }
    return loaded;
  }
};

// Each part yields m = max x, z = sum of exp(x - m), and the sum of exp(x - m)
// * (x - m). The terms of the last sum have one sign, so nothing cancels.
// Division by a positive temperature keeps the order, rounding included, so the
// maximum of the quotients is the quotient of the maximum.
void launchParts(Kernel &k, nn::LogProbabilityOp::Adaptor op,
                 const LogitParts &logits, Value sums) {
  LaunchSpec spec;
  spec.key = logits.key("log_probability_parts");
  spec.threads = kThreads;
  spec.sharedBytes = kThreads / 32 * 4;
  spec.grid = {k.mul(k.extent(op.getLogits(), 0), k.index(logits.parts))};
  spec.arguments = {op.getLogits(), op.getTemperature(), sums};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    Value shared = b.sharedMemory(0);
    SmallVector<Value> loaded = logits.load(b, arguments[0]);
    Value largest = b.f32(-INFINITY);
    for (Value vector : loaded)
      for (int64_t i = 0; i < logits.width; ++i)
        largest = b.max(largest, b.extract(vector, i));
    Value temperature = b.load(b.at(arguments[1], f32, logits.row(b)), f32);
    Value divisor = b.splat(temperature, logits.width);
    Value m = b.div(b.blockMax(largest, shared, kThreads), temperature);
    Value shift = b.splat(m, logits.width);
    Value z = b.f32(0), weighted = b.f32(0);
    for (Value vector : loaded) {
      Value distance =
          kernels::boundedBelow(b, b.sub(b.div(vector, divisor), shift));
      Value p = b.exp(distance);
      for (int64_t i = 0; i < logits.width; ++i) {
        z = b.add(z, b.extract(p, i));
        weighted = b.fma(b.extract(p, i), b.extract(distance, i), weighted);
      }
    }
    z = b.blockSum(z, shared, kThreads);
    weighted = b.blockSum(weighted, shared, kThreads);
    b.ifThen(b.equal(b.thread(), 0), [&] {
      for (auto [i, value] : llvm::enumerate(ArrayRef<Value>{m, z, weighted}))
        b.store(value, b.at(arguments[2], f32,
                            b.addI(b.mulI(b.wide(b.block()), 3),
                                   static_cast<int64_t>(i))));
    });
  });
}

// Each row has a warp, which rescales the row's parts to one maximum. Lane l
// adds parts l, l + 32, ..., then the warp's tree follows.
void launchRows(Kernel &k, nn::LogProbabilityOp::Adaptor op,
                const LogitParts &logits, Value sums) {
  constexpr int64_t kRows = 4;
  Value rows = k.extent(op.getLogits(), 0);
  LaunchSpec spec;
  spec.key = logits.key("log_probability");
  spec.threads = 32 * kRows;
  spec.grid = {k.ceilDiv(rows, kRows)};
  spec.arguments = {op.getLogits(), op.getTargets(), op.getTemperature(), sums,
                    k.result(0),    k.result(1),     k.result(2),         rows};
  spec.partly = {op.getLogits()}; // reads only the target's logit of each row
  spec.touches = bytesOf(k, rows, k.host.getF32Type());
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    Value row = b.addI(b.mulI(b.block(), kRows), b.warp());
    b.ifThen(b.less(row, arguments[7]), [&] {
      auto of = [&](Value part, int64_t i) {
        return b.load(
            b.at(arguments[3], f32,
                 b.addI(b.mulI(b.place(row, logits.parts, part), 3), i)),
            f32);
      };
      Value parts = b.i32(logits.parts);
      Value stride = b.i32(32);
      Value m = b.warpMax(
          b.loop(b.lane(), parts, stride, {b.f32(-INFINITY)},
                 [&](Value part, ValueRange best) -> SmallVector<Value> {
                   return {b.max(best[0], of(part, 0))};
                 })[0]);
      SmallVector<Value> total = b.loop(
          b.lane(), parts, stride, {b.f32(0), b.f32(0)},
          [&](Value part, ValueRange sums) -> SmallVector<Value> {
            Value distance = kernels::boundedBelow(b, b.sub(of(part, 0), m));
            Value scale = b.exp(distance);
            Value z = of(part, 1);
            Value weighted = b.mul(scale, b.fma(distance, z, of(part, 2)));
            weighted = b.select(b.greater(scale, b.f32(0)), weighted, b.f32(0));
            return {b.fma(scale, z, sums[0]), b.add(sums[1], weighted)};
          });
      Value z = b.warpSum(total[0]);
      Value weighted = b.warpSum(total[1]);
      Value logarithm = b.log(z);
      Value lse = b.add(m, logarithm);
      b.ifThen(b.equal(b.lane(), 0), [&] {
        Value target =
            b.load(b.at(arguments[1], b.getI32Type(), row), b.getI32Type());
        Value logit = b.load(
            b.at(arguments[0], f32, b.place(row, logits.vocabulary, target)),
            f32);
        Value x = b.div(logit, b.load(b.at(arguments[2], f32, row), f32));
        b.store(b.sub(x, lse), b.at(arguments[4], f32, row));
        b.store(lse, b.at(arguments[5], f32, row));
        b.store(b.sub(logarithm, b.div(weighted, z)),
                b.at(arguments[6], f32, row));
      });
    });
  });
}

LogicalResult emitLogProbability(Kernel &k, nn::LogProbabilityOp::Adaptor op) {
  LogitParts logits(op.getLogits());
  Value sums = k.scratch({ShapedType::kDynamic, logits.parts, 3},
                         {k.extent(op.getLogits(), 0)}, k.host.getF32Type());
  launchParts(k, op, logits, sums);
  launchRows(k, op, logits, sums);
  return success();
}

// With x = logits / temperature and p = exp(x - lse): dlogits = (dlogp * ([v is
// the target] - p) - dentropy * p * (x - lse + entropy)) / temperature.
LogicalResult emitLogProbabilityGrad(Kernel &k,
                                     nn::LogProbabilityGradOp::Adaptor op) {
  LogitParts logits(op.getLogits());
  LaunchSpec spec;
  spec.key = logits.key("log_probability_grad");
  spec.threads = kThreads;
  spec.grid = {k.mul(k.extent(op.getLogits(), 0), k.index(logits.parts))};
  llvm::append_range(spec.arguments, op.getOperands());
  spec.arguments.push_back(k.result(0));
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    SmallVector<Value> loaded = logits.load(b, arguments[2]);
    auto ofRow = [&](unsigned i) {
      return b.splat(b.load(b.at(arguments[i], f32, logits.row(b)), f32),
                     logits.width);
    };
    Value target = b.load(b.at(arguments[3], b.getI32Type(), logits.row(b)),
                          b.getI32Type());
    kernels::LogProbabilityRow row{ofRow(0), ofRow(1), ofRow(4), ofRow(5),
                                   ofRow(6)};
    for (auto [i, vector] : llvm::enumerate(loaded)) {
      Value column = logits.column(b, i);
      b.ifThen(b.less(column, logits.vocabulary), [&] {
        SmallVector<Value> isTarget;
        for (int64_t lane = 0; lane < logits.width; ++lane)
          isTarget.push_back(b.select(b.equal(b.addI(column, lane), target),
                                      b.f32(1), b.f32(0)));
        storeFloats(b, row.gradient(b, vector, b.fromElements(isTarget)),
                    arguments[7], f32, logits.place(b, column), logits.width);
      });
    }
  });
  return success();
}

} // namespace

void addLossKernels(KernelTable &table) {
  table.add<nn::LogProbabilityOp>(emitLogProbability);
  table.add<nn::LogProbabilityGradOp>(emitLogProbabilityGrad);
}

} // namespace nibble::device
