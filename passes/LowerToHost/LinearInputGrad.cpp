// dx = dy w: for each output one chain of fused multiply-adds over n ascending (N10).
//
// Lanes are columns of the weight. An iteration owns 64 columns and a chunk of tokens: it decodes those columns of a
// block of rows into a panel [row][lane], widens the same rows' dy, and runs register tiles of tokens x vectors over
// both. The chains wait in memory between blocks of rows.
#include "passes/LowerToHost/LinearKernels.h"
#include "passes/LowerToHost/LinearWeight.h"

using namespace mlir;

namespace nibble::host {

namespace {

constexpr int64_t kVectors = 4; // of sixteen columns in one iteration
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kPanelRows = 128;  // panel of 32 KB
constexpr int64_t kChunkTokens = 96; // chains of 24 KB
constexpr int64_t kTileTokens = 6;

struct InputGrad {
  Kernel &kernel;
  Emitter &b;
  const WeightReader &weight;
  Value dy, dx;
  Value tokens;
  int64_t tileVectors;

  int64_t columnBlocks() const { return ceilDiv(weight.k(), kColumns); }
  void run();
  void iterate(Value columnBlock, Value begin, Value end, int64_t vectors, bool isEnd);
  void decode(Value columnBlock, Value firstRow, Value rows, Value panel, int64_t vectors, bool isEnd);
  void widen(Value begin, Value count, Value firstRow, Value rows, Value slopes);
  void tile(Value token, int64_t vector, int64_t count, Value rows, Value panel, Value slopes, Value chains);
};

void InputGrad::decode(Value columnBlock, Value firstRow, Value rows, Value panel, int64_t vectors, bool isEnd) {
  // Two column blocks make one block of 128.
  Value block = b.divI(columnBlock, b.index(kBlock / kColumns));
  auto half = [&](Value row, int64_t first) {
    weight.read(b, b.addI(firstRow, row), block, first, vectors, isEnd, [&](int64_t step, Value lanes) {
      b.storeLanes(lanes, panel, {row, b.index((step - first) * kLanes)});
    });
  };
  if (isEnd) {
    int64_t first = (columnBlocks() - 1) % 2 * kVectors;
    b.loop(b.index(0), rows, 1, [&](Value row) { half(row, first); });
    return;
  }
  Value isSecond = b.equalI(b.remI(columnBlock, b.index(2)), b.index(1));
  b.ifThen(b.equalI(b.remI(columnBlock, b.index(2)), b.index(0)),
           [&] { b.loop(b.index(0), rows, 1, [&](Value row) { half(row, 0); }); });
  b.ifThen(isSecond, [&] { b.loop(b.index(0), rows, 1, [&](Value row) { half(row, kVectors); }); });
}

// dy of `count` tokens and the panel's rows in float32, [token][row].
void InputGrad::widen(Value begin, Value count, Value firstRow, Value rows, Value slopes) {
  b.loop(b.index(0), count, 1, [&](Value token) {
    Value source = b.addI(begin, token);
    Value whole = b.mulI(b.divI(rows, b.index(kLanes)), b.index(kLanes));
    b.loop(b.index(0), whole, kLanes,
           [&](Value row) { b.storeLanes(b.loadLanes(dy, {source, b.addI(firstRow, row)}), slopes, {token, row}); });
    b.loop(whole, rows, 1,
           [&](Value row) { b.store(b.load(dy, {source, b.addI(firstRow, row)}), slopes, {token, row}); });
  });
}

// Six tokens; those beyond the chunk read rows that are there and are not stored.
void InputGrad::tile(Value token, int64_t vector, int64_t count, Value rows, Value panel, Value slopes, Value chains) {
  SmallVector<Value> sums;
  for (int64_t t = 0; t < kTileTokens; ++t)
    for (int64_t v = 0; v < count; ++v)
      sums.push_back(b.loadLanes(chains, {b.addI(token, b.index(t)), b.index((vector + v) * kLanes)}));
  sums = b.loop(b.index(0), rows, 1, sums, [&](Value row, ValueRange carried) {
    SmallVector<Value> next(carried), lanes;
    for (int64_t v = 0; v < count; ++v)
      lanes.push_back(b.loadLanes(panel, {row, b.index((vector + v) * kLanes)}));
    for (int64_t t = 0; t < kTileTokens; ++t) {
      Value slope = b.splat(b.load(slopes, {b.addI(token, b.index(t)), row}));
      for (int64_t v = 0; v < count; ++v)
        next[t * count + v] = b.fma(slope, lanes[v], next[t * count + v]);
    }
    return next;
  });
  for (int64_t t = 0; t < kTileTokens; ++t)
    for (int64_t v = 0; v < count; ++v)
      b.storeLanes(sums[t * count + v], chains, {b.addI(token, b.index(t)), b.index((vector + v) * kLanes)});
}

void InputGrad::iterate(Value columnBlock, Value begin, Value end, int64_t vectors, bool isEnd) {
  Type f32 = b.getF32Type();
  Value panel = localBuffer(b, {kPanelRows, kColumns}, f32);
  Value slopes = localBuffer(b, {kChunkTokens, kPanelRows}, f32);
  Value chains = localBuffer(b, {kChunkTokens, kColumns}, f32);
  Value count = b.subI(end, begin);
  Value padded = b.mulI(b.ceilDivI(count, kTileTokens), b.index(kTileTokens));
  Value zero = b.lanes(0.0f);
  b.loop(b.index(0), padded, 1, [&](Value token) {
    for (int64_t v = 0; v < vectors; ++v)
      b.storeLanes(zero, chains, {token, b.index(v * kLanes)});
  });
  // Slopes of tokens that only fill the last tile up: any number does, but none that is slow to compute with.
  b.loop(count, padded, 1, [&](Value token) {
    b.loop(b.index(0), b.index(kPanelRows), kLanes, [&](Value row) { b.storeLanes(zero, slopes, {token, row}); });
  });

  b.loop(b.index(0), b.index(weight.n()), kPanelRows, [&](Value firstRow) {
    Value rows = b.minI(b.index(kPanelRows), b.subI(b.index(weight.n()), firstRow));
    decode(columnBlock, firstRow, rows, panel, vectors, isEnd);
    widen(begin, count, firstRow, rows, slopes);
    b.loop(b.index(0), padded, kTileTokens, [&](Value token) {
      for (int64_t v = 0; v < vectors; v += tileVectors)
        tile(token, v, std::min(tileVectors, vectors - v), rows, panel, slopes, chains);
    });
  });

  Value column = b.mulI(columnBlock, b.index(kColumns));
  b.loop(b.index(0), count, 1, [&](Value token) {
    for (int64_t v = 0; v < vectors; ++v) {
      Value sum = b.loadLanes(chains, {token, b.index(v * kLanes)});
      SmallVector<Value> at{b.addI(begin, token), b.addI(column, b.index(v * kLanes))};
      if (isEnd && v == vectors - 1 && weight.lastLanes() != kLanes)
        b.storeLanes(sum, dx, at, b.index(weight.lastLanes()));
      else
        b.storeLanes(sum, dx, at);
    }
  });
}

void InputGrad::run() {
  int64_t blocks = columnBlocks(), rest = weight.k() % kColumns;
  Value chunks = b.ceilDivI(tokens, kChunkTokens);
  b.parallel(b.mulI(chunks, b.index(blocks)), [&](Value iteration) {
    Value columnBlock = b.remI(iteration, b.index(blocks));
    Value begin = b.mulI(b.divI(iteration, b.index(blocks)), b.index(kChunkTokens));
    Value end = b.minI(b.addI(begin, b.index(kChunkTokens)), tokens);
    if (rest == 0)
      return iterate(columnBlock, begin, end, kVectors, false);
    if (blocks > 1)
      b.ifThen(b.lessI(columnBlock, b.index(blocks - 1)), [&] { iterate(columnBlock, begin, end, kVectors, false); });
    b.ifThen(b.equalI(columnBlock, b.index(blocks - 1)),
             [&] { iterate(columnBlock, begin, end, ceilDiv(rest, kLanes), true); });
  });
}

} // namespace

LogicalResult emitLinearInputGrad(Kernel &kernel) {
  FailureOr<WeightReader> weight = WeightReader::create(kernel, 1);
  if (failed(weight))
    return failure();
  Emitter &b = kernel.b;
  int64_t tileVectors = kernel.machine.vectorRegisters < 32 ? 1 : kVectors;
  InputGrad{kernel, b, *weight, kernel.inputs[0], kernel.outputs[0], b.dim(kernel.inputs[0], 0), tileVectors}.run();
  return success();
}

} // namespace nibble::host
