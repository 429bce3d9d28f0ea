// The optimizer: one pass over master, moments and gradient computes the
// weight. If the weight becomes whole slabs of INT4, the same pass computes its
// packed form.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Emit/UpdateBatches.h"
#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"

#include "lib/Numerics/fragment.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nibble::device {

namespace {

constexpr int64_t kWidth = 4; // elements of a thread

// Columns of the table's row: the buffers that a step reads and writes.
enum Column : unsigned {
  kGradient,
  kMaster,
  kMoment1,
  kMoment2,
  kWeight,
  kColumns
};

SmallVector<Value> columnsOf(const OptimizerStep &step) {
  return {step.gradient, step.master, step.moment1, step.moment2, step.weight};
}

// Steps the elements [first, first + width) and returns the rounded weight.
Value stepElements(Emitter &b, Value hyper, ValueRange columns, Type element,
                   Value first, int64_t width) {
  Type f32 = b.getF32Type();
  auto load = [&](Column column) {
    return loadFloats(b, columns[column], f32, first, width);
  };
  Value gradient = load(kGradient);
  Value master = load(kMaster);
  Value moment1 = load(kMoment1);
  Value moment2 = load(kMoment2);
  SmallVector<Value> hyperparameters;
  for (int64_t i = 0; i < kernels::AdamW::kHyperparameters; ++i)
    hyperparameters.push_back(
        b.splat(b.load(b.at(hyper, f32, b.i32(i)), f32), width));
  kernels::AdamW adamW(b, hyperparameters);
  auto next = adamW.step({master, moment1, moment2}, gradient);
  storeFloats(b, next.master, columns[kMaster], f32, first, width);
  storeFloats(b, next.moment1, columns[kMoment1], f32, first, width);
  storeFloats(b, next.moment2, columns[kMoment2], f32, first, width);
  storeFloats(b, next.master, columns[kWeight], element, first, width);
  return next.master;
}

// Steps weights of one element type and any shapes.
void launchSteps(Kernel &k, Value hyper, Type element,
                 ArrayRef<OptimizerStep> steps) {
  bool whole = llvm::all_of(steps, [](const OptimizerStep &step) {
    return isMultiple(step.gradient, kWidth);
  });
  LaunchSpec spec;
  spec.key = "adamw_" + textOf(element) + (whole ? "" : "_rest");
  spec.threads = kThreads;
  spec.arguments = {hyper};
  SmallVector<BatchRow> rows;
  for (const OptimizerStep &step : steps) {
    Value count = elementsOf(k.host, k.loc(), step.gradient);
    Value vectors =
        k.host.createOrFold<arith::DivUIOp>(k.loc(), count, k.index(kWidth));
    Value threads = vectors;
    SmallVector<Value> values = columnsOf(step);
    values.push_back(vectors);
    if (!whole) {
      Value rest =
          k.host.createOrFold<arith::RemUIOp>(k.loc(), count, k.index(kWidth));
      threads = k.host.createOrFold<arith::AddIOp>(k.loc(), vectors, rest);
      values.push_back(threads);
    }
    rows.push_back({std::move(values), k.ceilDiv(threads, kThreads)});
  }
  launchBatched(
      k, spec, rows,
      [&](Emitter &b, ValueRange arguments, ValueRange row, Value block) {
        Value thread = b.addI(b.mulI(block, kThreads), b.thread());
        forElements(b, thread, row[kColumns],
                    whole ? Value() : row[kColumns + 1], kWidth,
                    [&](Value first, int64_t width) {
                      stepElements(b, arguments[0], row, element, first, width);
                    });
      });
}

struct StepAndQuantize {
  OptimizerStep step;
  WeightQuantization quantize;
};

// Steps weights of one type that become whole slabs: a thread steps the pieces
// that it quantizes.
void launchStepsToSlabs(Kernel &k, Value hyper, Type element,
                        qat::PackedType type,
                        ArrayRef<StepAndQuantize> weights) {
  LaunchSpec spec;
  spec.key = "adamw_quantize_slabs_" + textOf(element);
  spec.arguments = {hyper};
  SmallVector<BatchRow> rows;
  for (StepAndQuantize weight : weights) {
    SmallVector<Value> values = {weight.quantize.bytes};
    llvm::append_range(values, columnsOf(weight.step));
    rows.push_back({std::move(values), slabsOf(k, type)});
  }
  launchQuantizeSlabs(
      k, spec, type, rows,
      [&](Emitter &b, ValueRange arguments, ValueRange tableRow, Value row,
          Value column) {
        Value first = b.place(row, type.getK(), column);
        Value next = stepElements(b, arguments[0], tableRow.drop_front(),
                                  element, first, kPiece);
        return wordsOfFloats(b, b.roundTo(next, b.getBF16Type()));
      });
}

bool isOfWholeSlabs(qat::PackedType type) {
  return type.inSlabs() && type.getScheme().getGroupSize() > 0 &&
         type.getN() % numerics::kSlabRows == 0 &&
         type.getK() % numerics::kSlabColumns == 0;
}

} // namespace

LogicalResult emitUpdate(KernelWriter &writer, const UpdateBatch &batch) {
  // Types of the packed weight and of the weight's elements.
  using Kind = std::pair<Type, Type>;
  llvm::MapVector<Kind, SmallVector<StepAndQuantize>> toSlabs;
  llvm::MapVector<Kind, SmallVector<QuantizedWeight>> quantizes;
  llvm::MapVector<Type, SmallVector<OptimizerStep>> steps;
  DenseMap<Value, const OptimizerStep *> stepOf; // keyed by its weight
  for (const OptimizerStep &step : batch.steps)
    stepOf[step.weight] = &step;
  for (const WeightQuantization &quantize : batch.quantizes) {
    Kind kind = {quantize.type, elementOf(quantize.weight)};
    auto step = stepOf.find(quantize.weight);
    if (step != stepOf.end() && isOfWholeSlabs(quantize.type)) {
      toSlabs[kind].push_back({*step->second, quantize});
      stepOf.erase(step);
    } else {
      quantizes[kind].push_back({quantize.weight, quantize.bytes});
    }
  }
  for (const OptimizerStep &step : batch.steps)
    if (stepOf.contains(step.weight))
      steps[elementOf(step.weight)].push_back(step);

  kernel::ComputeOp last = batch.last;
  OpBuilder host(last);
  Kernel k(writer, host, last);
  auto hyper = [&] { return batch.steps.front().hyper; };
  for (auto &[element, of] : steps)
    launchSteps(k, hyper(), element, of);
  for (auto &[kind, of] : toSlabs)
    launchStepsToSlabs(k, hyper(), kind.second,
                       cast<qat::PackedType>(kind.first), of);
  for (auto &[kind, of] : quantizes)
    if (failed(emitQuantizes(k, cast<qat::PackedType>(kind.first), of)))
      return failure();
  for (OptimizerStep step : batch.steps)
    step.op.erase();
  for (WeightQuantization quantize : batch.quantizes)
    quantize.op.erase();
  return success();
}

} // namespace nibble::device
