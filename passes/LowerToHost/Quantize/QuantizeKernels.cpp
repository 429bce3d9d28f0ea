// qat.quantize, qat.dequantize, qat.fake_quant and qat.repack. Each is one pass
// over the weight with rows, or blocks, divided among threads.
//
// A weight holds no NaN and no infinity, because the runtime rejects those
// before (N7).
#include "passes/LowerToHost/Quantize/GroupScales.h"

using namespace mlir;

namespace nibble::host {

namespace {

// Walks rows in blocks of 128 columns. The last block may have fewer steps, and
// its last step fewer lanes.
struct Columns {
  int64_t k;

  int64_t wholeBlocks() const { return k / kBlock; }
  int64_t restSteps() const { return ceilDiv(k % kBlock, kLanes); }
  int64_t lastLanes() const { return k % kLanes ? k % kLanes : kLanes; }
  // body(block, steps, lanes of the last step)
  void forEach(Emitter &b,
               function_ref<void(Value block, int64_t steps, int64_t lanes)>
                   body) const {
    if (wholeBlocks() > 0)
      b.loop(b.index(0), b.index(wholeBlocks()), 1,
             [&](Value block) { body(block, kBlockSteps, kLanes); });
    if (restSteps() > 0)
      body(b.index(wholeBlocks()), restSteps(), lastLanes());
  }
};

// The steps of a block of a plain matrix, rounded to bf16 (N1). Lanes beyond K
// are +0.
SmallVector<Value> loadBlock(Emitter &b, Value matrix, Value row, Value block,
                             int64_t steps, int64_t lanes) {
  SmallVector<Value> loaded;
  bool isFloat = cast<MemRefType>(matrix.getType()).getElementType().isF32();
  for (int64_t step = 0; step < steps; ++step) {
    SmallVector<Value> at{
        row, b.addI(b.mulI(block, b.index(kBlock)), b.index(step * kLanes))};
    bool isTail = step == steps - 1 && lanes != kLanes;
    Value value = isTail ? b.loadLanes(matrix, at, b.index(lanes))
                         : b.loadLanes(matrix, at);
    loaded.push_back(isFloat ? b.roundTo(value, b.getBF16Type()) : value);
  }
  return loaded;
}

void storeStep(Emitter &b, Value value, Value matrix, Value row, Value block,
               int64_t step, int64_t lanes) {
  SmallVector<Value> at{
      row, b.addI(b.mulI(block, b.index(kBlock)), b.index(step * kLanes))};
  if (lanes == kLanes)
    b.storeLanes(value, matrix, at);
  else
    b.storeLanes(value, matrix, at, b.index(lanes));
}

Value magnitudes(Emitter &b, Value lanes) {
  return b.floatsOf(
      arith::AndIOp::create(b, b.bitsOf(lanes), splatInteger(b, 0x7FFFFFFF)));
}

Value largestLanes(Emitter &b, ArrayRef<Value> lanes, Value start = Value()) {
  Value largest = start;
  for (Value value : lanes)
    largest =
        largest ? b.max(largest, magnitudes(b, value)) : magnitudes(b, value);
  return largest;
}

// Quantizes a weight and passes scales and codes to a consumer.
struct Quantizer {
  Emitter &b;
  Value source; // [N, K]
  Columns columns;
  qat::SchemeAttr scheme;
  Grid grid;

  Quantizer(Emitter &b, Value source, int64_t k, qat::SchemeAttr scheme)
      : b(b), source(source), columns{k}, scheme(scheme), grid(b, scheme) {}
  virtual ~Quantizer() = default;

  // Gets the scale of the group or block that begins at step `step` of a block.
  virtual void onScale(Value row, Value block, int64_t step,
                       const GridScale &scale) = 0;
  // Gets the stored scales of the row's groups from `first` on, one per lane.
  virtual void onScales(Value row, Value first, Value stored) = 0;
  // Gets the codes of a block of a row, as Grid::quantize returns them, and the
  // scale of each step.
  virtual void onCodes(Value row, Value block, ArrayRef<Value> codes,
                       ArrayRef<Value> scales, int64_t lanes) = 0;

  void run() {
    if (scheme.row().inBlocks)
      return runBlocks();
    bool isBf16 = cast<MemRefType>(source.getType()).getElementType().isBF16();
    b.parallel(b.dim(source, 0), [&](Value row) {
      if (scheme.getGroupSize() == 0)
        wholeRow(row);
      else if (isBf16 && grid.hasReciprocals())
        groupsByReciprocals(row);
      else
        groups(row);
    });
  }

  // Handles a block of a row whose steps share one scale.
  void emitBlock(Value row, Value block, int64_t steps, int64_t lanes,
                 Value scale) {
    SmallVector<Value> codes =
        grid.quantize(loadBlock(b, source, row, block, steps, lanes), scale);
    onCodes(row, block, codes, SmallVector<Value>(steps, scale), lanes);
  }

  void groups(Value row) {
    int64_t stepsPerGroup = scheme.getGroupSize() / kLanes;
    columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
      SmallVector<Value> values =
          loadBlock(b, source, row, block, steps, lanes);
      SmallVector<Value> scales;
      SmallVector<Value> codes;
      for (int64_t step = 0; step < steps; step += stepsPerGroup) {
        ArrayRef<Value> group = ArrayRef(values).slice(step, stepsPerGroup);
        Value largest = largestLanes(b, group);
        GridScale scale = grid.scaleOf(b.reduceMax(largest));
        onScale(row, block, step, scale);
        scales.append(stepsPerGroup, scale.used);
        codes.append(grid.quantize(group, scale.used));
      }
      onCodes(row, block, codes, scales, lanes);
    });
  }

  // Computes all scales of the row first, many at a time, then its codes.
  void groupsByReciprocals(Value row) {
    GroupScales found =
        GroupScales::allocate(b, columns.k, scheme.getGroupSize());
    found.find(b, grid, source, row, [&](Value first, Value stored) {
      onScales(row, first, stored);
    });
    int64_t stepsPerGroup = scheme.getGroupSize() / kLanes;
    auto writeCodes = [&](bool byReciprocals) {
      columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
        SmallVector<Value> values =
            loadBlock(b, source, row, block, steps, lanes);
        SmallVector<Value> scales;
        SmallVector<Value> codes;
        Value firstGroup = b.mulI(block, b.index(kBlockSteps / stepsPerGroup));
        Value reciprocal;
        for (int64_t step = 0; step < steps; ++step) {
          if (step % stepsPerGroup == 0) {
            Value group = b.addI(firstGroup, b.index(step / stepsPerGroup));
            reciprocal = b.load(found.reciprocals, group);
            scales.append(stepsPerGroup, b.load(found.scales, group));
          }
          codes.push_back(byReciprocals
                              ? grid.multiply(values[step], reciprocal)
                              : grid.divide(values[step], scales[step]));
        }
        onCodes(row, block, codes, scales, lanes);
      });
    };
    b.ifThenElse(
        found.areOrdinary, [&] { writeCodes(true); },
        [&] { writeCodes(false); });
  }

  Value largestOfRow(Value row, Value start) {
    if (columns.wholeBlocks() > 0)
      start =
          b.loop(b.index(0), b.index(columns.wholeBlocks()), 1, start,
                 [&](Value block, ValueRange carried) {
                   return SmallVector<Value>{largestLanes(
                       b, loadBlock(b, source, row, block, kBlockSteps, kLanes),
                       carried[0])};
                 })[0];
    if (columns.restSteps() > 0)
      start =
          largestLanes(b,
                       loadBlock(b, source, row, b.index(columns.wholeBlocks()),
                                 columns.restSteps(), columns.lastLanes()),
                       start);
    return start;
  }

  void wholeRow(Value row) {
    GridScale scale =
        grid.scaleOf(b.reduceMax(largestOfRow(row, b.lanes(0.0f))));
    onScale(row, b.index(0), 0, scale);
    columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
      emitBlock(row, block, steps, lanes, scale.used);
    });
  }

  // 128 rows by 128 columns share a scale.
  void runBlocks() {
    Value rows = b.dim(source, 0);
    b.parallel(b.ceilDivI(rows, kBlock), [&](Value rowBlock) {
      Value begin = b.mulI(rowBlock, b.index(kBlock));
      Value end = b.minI(b.addI(begin, b.index(kBlock)), rows);
      columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
        Value largest = b.loop(
            begin, end, 1, b.lanes(0.0f), [&](Value row, ValueRange carried) {
              return SmallVector<Value>{largestLanes(
                  b, loadBlock(b, source, row, block, steps, lanes),
                  carried[0])};
            })[0];
        GridScale scale = grid.scaleOf(b.reduceMax(largest));
        onScale(begin, block, 0, scale);
        b.loop(begin, end, 1, [&](Value row) {
          emitBlock(row, block, steps, lanes, scale.used);
        });
      });
    });
  }
};

struct PackQuantizer final : Quantizer {
  CodeWriter writer;
  PackedCodes target;

  PackQuantizer(Emitter &b, Value source, qat::PackedType type, Value bytes)
      : Quantizer(b, source, type.getK(), type.getScheme()),
        writer{type, bytes}, target{type, bytes} {}

  void onScale(Value row, Value block, int64_t step,
               const GridScale &scale) override {
    writer.writeScale(b, target.scaleIndex(b, row, block, step), scale.stored);
  }
  void onScales(Value row, Value first, Value stored) override {
    writer.writeScale(b, b.addI(b.mulI(row, b.index(target.groups())), first),
                      stored);
  }
  void onCodes(Value row, Value block, ArrayRef<Value> codes, ArrayRef<Value>,
               int64_t lanes) override {
    if (writer.isHostNibble())
      return writer.writeBlock(b, row, block, codes, lanes, grid.aboveCode());
    SmallVector<Value> stored;
    for (Value code : codes)
      stored.push_back(grid.stored(code));
    writer.writeBlock(b, row, block, stored, lanes);
  }
};

struct FakeQuantizer final : Quantizer {
  Value out;

  FakeQuantizer(Emitter &b, Value source, int64_t k, qat::SchemeAttr scheme,
                Value out)
      : Quantizer(b, source, k, scheme), out(out) {}

  void onScale(Value, Value, int64_t, const GridScale &) override {}
  void onScales(Value, Value, Value) override {}
  void onCodes(Value row, Value block, ArrayRef<Value> codes,
               ArrayRef<Value> scales, int64_t lanes) override {
    for (auto [step, code] : llvm::enumerate(codes))
      storeStep(b, grid.valuesOf(code, scales[step]), out, row, block, step,
                step == codes.size() - 1 ? lanes : kLanes);
  }
};

LogicalResult emitQuantize(Kernel &kernel, qat::QuantizeOp::Adaptor op) {
  Value packed = kernel.result(0);
  PackQuantizer(kernel.b, op.getWeight(), kernel.packedType(packed), packed)
      .run();
  return success();
}

LogicalResult emitFakeQuant(Kernel &kernel, qat::FakeQuantOp::Adaptor op) {
  auto type = cast<RankedTensorType>(kernel.tensorType(op.getWeight()));
  FakeQuantizer(kernel.b, op.getWeight(), type.getDimSize(1), op.getScheme(),
                kernel.result(0))
      .run();
  return success();
}

LogicalResult emitDequantize(Kernel &kernel, qat::DequantizeOp::Adaptor op) {
  FailureOr<WeightReader> weight = WeightReader::create(kernel, op.getPacked());
  if (failed(weight))
    return failure();
  Emitter &b = kernel.b;
  Columns columns{weight->k()};
  b.parallel(b.index(weight->n()), [&](Value row) {
    columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
      weight->read(b, row, block, 0, steps, lanes != kLanes,
                   [&](int64_t step, Value value) {
                     storeStep(b, value, kernel.result(0), row, block, step,
                               step == steps - 1 ? lanes : kLanes);
                   });
    });
  });
  return success();
}

// Permutes codes row by row and copies scales.
LogicalResult emitRepack(Kernel &kernel, qat::RepackOp::Adaptor op) {
  Emitter &b = kernel.b;
  Value input = op.getInput();
  Value output = kernel.result(0);
  qat::PackedType from = kernel.packedType(input);
  qat::PackedType to = kernel.packedType(output);
  if (from.getScheme().row().codeBits != 4 ||
      from.getLayout() == to.getLayout()) {
    memref::CopyOp::create(b, input, output);
    return success();
  }
  PackedCodes source{from, input};
  CodeWriter writer{to, output};
  Columns columns{from.getK()};
  b.parallel(b.index(from.getN()), [&](Value row) {
    columns.forEach(b, [&](Value block, int64_t steps, int64_t lanes) {
      SmallVector<Value> codes;
      for (Value code : source.codes(b, row, block, 0, steps, lanes))
        codes.push_back(arith::AndIOp::create(b, code, splatInteger(b, 0xF)));
      writer.writeBlock(b, row, block, codes, lanes);
    });
    int64_t width = numerics::bytesOf(source.schemeRow().scaleType);
    int64_t rowBytes = width * source.groups();
    b.loop(b.index(0), b.index(rowBytes), width, [&](Value offset) {
      Value at = b.addI(b.mulI(row, b.index(rowBytes)), offset);
      auto scale = VectorType::get({width}, b.getI8Type());
      vector::StoreOp::create(
          b,
          b.loadVector(input, b.addI(at, b.index(from.getCodeBytes())), scale),
          output, b.addI(at, b.index(to.getCodeBytes())));
    });
  });
  return success();
}

} // namespace

void addQuantizeKernels(KernelTable &table) {
  table.add<qat::QuantizeOp>(emitQuantize);
  table.add<qat::FakeQuantOp>(emitFakeQuant);
  table.add<qat::DequantizeOp>(emitDequantize);
  table.add<qat::RepackOp>(emitRepack);
}

} // namespace nibble::host
