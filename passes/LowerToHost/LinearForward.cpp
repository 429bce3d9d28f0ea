// y = x wT, by N11.
//
// A block of eight rows of the weight is decoded into a panel [step][row][lane] that stays in the first-level cache;
// tiles of up to three tokens run over it with one accumulator of sixteen lanes per output. How many tokens there are,
// where a panel ends and who computes it changes where an accumulator waits, never the order of its additions. Few
// tokens go without a panel (LinearDirect.h).
#include "passes/LowerToHost/LinearDirect.h"
#include "passes/LowerToHost/LinearKernels.h"
#include "passes/LowerToHost/LinearTile.h"

using namespace mlir;

namespace nibble::host {

namespace {

constexpr int64_t kPanelBlocks = 8; // most blocks of 128 columns in a panel: 32 KB of float32

struct Forward {
  Kernel &kernel;
  Emitter &b;
  const WeightReader &weight;
  LinearEpilogue epilogue;
  Value tokens; // index
  Value x;      // [T, at least steps * 16] float32
  int64_t tileTokens;

  int64_t rowBlocks() const { return ceilDiv(weight.n(), kTileRows); }
  int64_t blocks() const { return ceilDiv(weight.k(), kBlock); }
  // Panels along K, as even as whole blocks allow.
  int64_t panels() const { return ceilDiv(blocks(), kPanelBlocks); }
  int64_t panelBlocks() const { return ceilDiv(blocks(), panels()); }
  int64_t panelSteps() const { return std::min(panelBlocks() * kBlockSteps, weight.steps()); }
  // Most tokens of one iteration: few enough that their x stays in the second-level cache, enough to pay for decoding.
  int64_t chunkTokens() const {
    int64_t fitting = kernel.machine.l2Bytes / 2 / (4 * kLanes * weight.steps());
    return std::clamp<int64_t>(fitting, 48, 768) / 6 * 6;
  }
  // Columns of x in float32. Rows that are a multiple of 2 KB apart would share the same few sets of the cache.
  int64_t widenedColumns() const { return weight.steps() * kLanes + (weight.steps() % 32 == 0 ? kLanes : 0); }

  void widen();
  void run();
  void panelled(Value rowBlock, Value begin, Value end);
  void decode(Value rowBlock, Value panel, Value buffer);
  SmallVector<Value> accumulate(Value token, int64_t count, Value panel, Value buffer, Value steps, ValueRange init);
  void finish(Value token, int64_t count, Value rowBlock, ArrayRef<Value> sums);
  void forTiles(Value begin, Value end, function_ref<void(Value token, int64_t count)> body);
};

// x in float32, padded with +0 to whole steps. Already so: used as it is.
void Forward::widen() {
  Value source = kernel.inputs[0];
  bool isFloat = cast<MemRefType>(source.getType()).getElementType().isF32();
  if (isFloat && weight.lastLanes() == kLanes) {
    x = source;
    return;
  }
  x = b.scratch({ShapedType::kDynamic, widenedColumns()}, tokens, b.getF32Type());
  auto row = [&](Value token) {
    int64_t whole = weight.k() / kLanes * kLanes;
    b.loop(b.index(0), b.index(whole), kLanes,
           [&](Value column) { b.storeLanes(b.loadLanes(source, {token, column}), x, {token, column}); });
    if (whole < weight.k())
      b.storeLanes(b.loadLanes(source, {token, b.index(whole)}, b.index(weight.lastLanes())), x,
                   {token, b.index(whole)});
  };
  b.parallel(tokens, row);
}

// The panel's eight rows; a row beyond N repeats the last one and is not stored.
void Forward::decode(Value rowBlock, Value panel, Value buffer) {
  int64_t wholeBlocks = weight.k() / kBlock;
  Value firstBlock = b.mulI(panel, b.index(panelBlocks()));
  Value endBlock = b.minI(b.addI(firstBlock, b.index(panelBlocks())), b.index(wholeBlocks));
  b.loop(b.index(0), b.index(kTileRows), 1, [&](Value row) {
    Value source = b.minI(b.addI(b.mulI(rowBlock, b.index(kTileRows)), row), b.index(weight.n() - 1));
    auto block = [&](Value index, int64_t count, bool isEnd) {
      weight.prefetch(b, b.addI(b.mulI(b.addI(rowBlock, b.index(1)), b.index(kTileRows)), row), index);
      Value step = b.mulI(b.subI(index, firstBlock), b.index(kBlockSteps));
      weight.read(b, source, index, 0, count, isEnd, [&](int64_t i, Value lanes) {
        b.storeLanes(lanes, buffer, {b.addI(step, b.index(i)), row, b.index(0)});
      });
    };
    b.loop(firstBlock, endBlock, 1, [&](Value index) { block(index, kBlockSteps, false); });
    if (wholeBlocks == blocks())
      return;
    auto tail = [&] { block(b.index(wholeBlocks), weight.steps() - wholeBlocks * kBlockSteps, true); };
    if (panels() == 1)
      tail();
    else
      b.ifThen(b.equalI(panel, b.index(panels() - 1)), tail);
  });
}

// One fused multiply-add per lane and step, ascending.
SmallVector<Value> Forward::accumulate(Value token, int64_t count, Value panel, Value buffer, Value steps,
                                       ValueRange init) {
  Value firstColumn = b.mulI(panel, b.index(panelBlocks() * kBlock));
  return b.loop(b.index(0), steps, 1, init, [&](Value step, ValueRange carried) {
    SmallVector<Value> sums(carried), activations;
    Value column = b.addI(firstColumn, b.mulI(step, b.index(kLanes)));
    for (int64_t t = 0; t < count; ++t)
      activations.push_back(b.loadLanes(x, {b.addI(token, b.index(t)), column}));
    for (int64_t row = 0; row < kTileRows; ++row) {
      Value lanes = b.loadLanes(buffer, {step, b.index(row), b.index(0)});
      for (int64_t t = 0; t < count; ++t)
        sums[t * kTileRows + row] = b.fma(activations[t], lanes, sums[t * kTileRows + row]);
    }
    return sums;
  });
}

void Forward::finish(Value token, int64_t count, Value rowBlock, ArrayRef<Value> sums) {
  Value row = b.mulI(rowBlock, b.index(kTileRows));
  int64_t rest = weight.n() % kTileRows;
  Value isWhole = rest ? b.lessI(rowBlock, b.index(weight.n() / kTileRows)) : Value();
  for (int64_t t = 0; t < count; ++t) {
    Value at = b.addI(token, b.index(t));
    Value outputs = reduceRows(b, sums.slice(t * kTileRows, kTileRows));
    if (!rest) {
      epilogue.store(b, outputs, at, row, kTileRows);
      continue;
    }
    if (weight.n() > kTileRows)
      b.ifThen(isWhole, [&] { epilogue.store(b, outputs, at, row, kTileRows); });
    b.ifThen(b.equalI(rowBlock, b.index(weight.n() / kTileRows)), [&] { epilogue.store(b, outputs, at, row, rest); });
  }
}

// Cuts [begin, end) into tiles of tileTokens and what is left over.
void Forward::forTiles(Value begin, Value end, function_ref<void(Value token, int64_t count)> body) {
  Value count = b.subI(end, begin);
  Value whole = b.addI(begin, b.mulI(b.divI(count, b.index(tileTokens)), b.index(tileTokens)));
  b.loop(begin, whole, tileTokens, [&](Value token) { body(token, tileTokens); });
  Value rest = b.subI(end, whole);
  for (int64_t size = tileTokens - 1; size > 0; --size)
    b.ifThen(b.equalI(rest, b.index(size)), [&] { body(whole, size); });
}

void Forward::run() {
  // Chunks of equal length, in whole tiles.
  Value chunks = b.ceilDivI(tokens, chunkTokens());
  Value each = b.divI(b.addI(tokens, b.subI(chunks, b.index(1))), b.maxI(chunks, b.index(1)));
  Value chunk = b.mulI(b.ceilDivI(each, tileTokens), b.index(tileTokens));
  DirectLinear direct{b, weight, x, kernel.machine.vectorRegisters};
  b.parallel(b.mulI(chunks, b.index(rowBlocks())), [&](Value iteration) {
    Value rowBlock = b.remI(iteration, b.index(rowBlocks()));
    Value begin = b.mulI(b.divI(iteration, b.index(rowBlocks())), chunk);
    Value end = b.minI(b.addI(begin, chunk), tokens);
    Value isFew = b.lessI(tokens, b.index(direct.mostTokens() + 1));
    Value first = b.mulI(rowBlock, b.index(kTileRows));
    Value isOrdinary =
        weight.hasOrdinaryScales(b, first, b.minI(b.addI(first, b.index(kTileRows)), b.index(weight.n())));
    b.ifThenElse(
        isOrdinary ? arith::AndIOp::create(b, isFew, isOrdinary).getResult() : isFew,
        [&] {
          direct.emit(begin, end, rowBlock,
                      [&](Value token, ArrayRef<Value> sums) { finish(token, 1, rowBlock, sums); });
        },
        [&] { panelled(rowBlock, begin, end); });
  });
}

// One iteration by panels.
void Forward::panelled(Value rowBlock, Value begin, Value end) {
  SmallVector<Value> zeros(tileTokens * kTileRows, b.lanes(0.0f));
  Value buffer = localBuffer(b, {panelSteps(), kTileRows, kLanes}, b.getF32Type());
  if (panels() == 1) {
    decode(rowBlock, b.index(0), buffer);
    forTiles(begin, end, [&](Value token, int64_t count) {
      ValueRange init = ValueRange(zeros).take_front(count * kTileRows);
      finish(token, count, rowBlock, accumulate(token, count, b.index(0), buffer, b.index(weight.steps()), init));
    });
    return;
  }

  // Accumulators wait in memory between panels.
  Value waiting = localBuffer(b, {chunkTokens(), kTileRows, kLanes}, b.getF32Type());
  auto at = [&](Value token, int64_t i) -> SmallVector<Value> {
    return {b.addI(b.subI(token, begin), b.index(i / kTileRows)), b.index(i % kTileRows), b.index(0)};
  };
  auto fetch = [&](Value token, int64_t count) {
    SmallVector<Value> sums;
    for (int64_t i = 0; i < count * kTileRows; ++i)
      sums.push_back(b.loadLanes(waiting, at(token, i)));
    return sums;
  };
  b.loop(begin, end, 1, [&](Value token) {
    for (int64_t row = 0; row < kTileRows; ++row)
      b.storeLanes(zeros[row], waiting, at(token, row));
  });
  b.loop(b.index(0), b.index(panels() - 1), 1, [&](Value panel) {
    decode(rowBlock, panel, buffer);
    forTiles(begin, end, [&](Value token, int64_t count) {
      Value steps = b.index(panelBlocks() * kBlockSteps);
      SmallVector<Value> sums = accumulate(token, count, panel, buffer, steps, fetch(token, count));
      for (auto [i, sum] : llvm::enumerate(sums))
        b.storeLanes(sum, waiting, at(token, i));
    });
  });
  Value last = b.index(panels() - 1);
  decode(rowBlock, last, buffer);
  forTiles(begin, end, [&](Value token, int64_t count) {
    Value steps = b.index(weight.steps() - (panels() - 1) * panelBlocks() * kBlockSteps);
    finish(token, count, rowBlock, accumulate(token, count, last, buffer, steps, fetch(token, count)));
  });
}

} // namespace

LogicalResult emitLinearForward(Kernel &kernel) {
  FailureOr<WeightReader> weight = WeightReader::create(kernel, 1);
  if (failed(weight))
    return failure();
  Emitter &b = kernel.b;
  LinearEpilogue epilogue{kernel.outputs[0], kernel.optional(2), kernel.optional(3)};
  Forward forward{kernel, b, *weight, epilogue, b.dim(kernel.inputs[0], 0), Value(), 3};
  if (kernel.machine.vectorRegisters < 32)
    forward.tileTokens = 1; // eight accumulators of two registers each fill sixteen
  forward.widen();
  forward.run();
  return success();
}

} // namespace nibble::host
