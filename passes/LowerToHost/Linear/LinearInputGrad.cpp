// dx = dy w: each output is one chain of fused multiply-adds over n ascending
// (N10).
//
// Lanes are columns of the weight. An iteration owns up to 256 columns and a
// chunk of tokens. It takes the weight's rows in blocks. For each block it
// decodes the rows into a panel [quad of 64 columns][row][lane] and widens the
// dy of those rows, both once. Then register tiles of tokens x vectors run over
// one quad at a time, which stays in the first-level cache. Between blocks of
// rows the chains are stored in memory.
#include "passes/LowerToHost/Emit/Chunks.h"
#include "passes/LowerToHost/Linear/LinearKernels.h"
#include "passes/LowerToHost/Linear/LinearWeight.h"

using namespace mlir;

namespace nibble::host {

namespace {

constexpr int64_t kVectors = 4; // vectors of sixteen columns in a quad
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kGroupBlocks = 2; // blocks of 128 columns per iteration
constexpr int64_t kGroupSteps = kGroupBlocks * kBlockSteps;
constexpr int64_t kPanelRows = 96; // 24 KB per quad
constexpr int64_t kTileTokens = 6;

// Memory of one iteration, in float32.
struct Buffers {
  Value panel;  // [quad, row, column]
  Value slopes; // [token, row]
  Value chains; // [quad, token, column]
};

struct InputGrad {
  Emitter &b;
  const WeightReader &weight;
  Value dy, dx;
  Value tokens;
  int64_t tileVectors;
  int64_t chunkTokens; // most tokens of a chunk

  int64_t groups() const { return ceilDiv(weight.steps(), kGroupSteps); }
  int64_t groupQuads() const {
    return ceilDiv(std::min(weight.steps(), kGroupSteps), kVectors);
  }
  void run();
  void iterate(Value group, Value begin, Value end, const Buffers &buffers,
               int64_t steps, bool isEnd);
  void decode(Value group, Value firstRow, Value rows, Value panel,
              int64_t steps, bool isEnd);
  void widen(Value begin, Value count, Value firstRow, Value rows,
             Value slopes);
  void tile(Value token, Value quad, int64_t vector, int64_t count, Value rows,
            const Buffers &buffers);
};

// Decodes `steps` of the group's columns for each row.
void InputGrad::decode(Value group, Value firstRow, Value rows, Value panel,
                       int64_t steps, bool isEnd) {
  b.loop(b.index(0), rows, 1, [&](Value row) {
    for (int64_t first = 0; first < steps; first += kBlockSteps) {
      Value block = b.addI(b.mulI(group, b.index(kGroupBlocks)),
                           b.index(first / kBlockSteps));
      int64_t count = std::min(kBlockSteps, steps - first);
      bool isLast = isEnd && first + count == steps;
      weight.read(b, b.addI(firstRow, row), block, 0, count, isLast,
                  [&](int64_t step, Value lanes) {
                    int64_t at = first + step;
                    b.storeLanes(lanes, panel,
                                 {b.index(at / kVectors), row,
                                  b.index(at % kVectors * kLanes)});
                  });
    }
  });
}

// dy of `count` tokens and the panel's rows, in float32, [token][row].
void InputGrad::widen(Value begin, Value count, Value firstRow, Value rows,
                      Value slopes) {
  b.loop(b.index(0), count, 1, [&](Value token) {
    Value source = b.addI(begin, token);
    prefetchRow(b, dy, source, b.addI(firstRow, b.index(kPanelRows)),
                std::min(weight.n(), kPanelRows));
    Value whole = b.mulI(b.divI(rows, b.index(kLanes)), b.index(kLanes));
    b.loop(b.index(0), whole, kLanes, [&](Value row) {
      b.storeLanes(b.loadLanes(dy, {source, b.addI(firstRow, row)}), slopes,
                   {token, row});
    });
    b.loop(whole, rows, 1, [&](Value row) {
      b.store(b.load(dy, {source, b.addI(firstRow, row)}), slopes,
              {token, row});
    });
  });
}

// A tile of six tokens. Tokens beyond the chunk read existing rows and are not
// stored.
void InputGrad::tile(Value token, Value quad, int64_t vector, int64_t count,
                     Value rows, const Buffers &buffers) {
  auto place = [&](int64_t t, int64_t v) -> SmallVector<Value> {
    return {quad, b.addI(token, b.index(t)), b.index((vector + v) * kLanes)};
  };
  SmallVector<Value> sums;
  for (int64_t t = 0; t < kTileTokens; ++t)
    for (int64_t v = 0; v < count; ++v)
      sums.push_back(b.loadLanes(buffers.chains, place(t, v)));
  sums = b.loop(b.index(0), rows, 1, sums, [&](Value row, ValueRange carried) {
    SmallVector<Value> next(carried);
    SmallVector<Value> lanes;
    for (int64_t v = 0; v < count; ++v)
      lanes.push_back(b.loadLanes(buffers.panel,
                                  {quad, row, b.index((vector + v) * kLanes)}));
    for (int64_t t = 0; t < kTileTokens; ++t) {
      Value slope =
          b.splat(b.load(buffers.slopes, {b.addI(token, b.index(t)), row}));
      for (int64_t v = 0; v < count; ++v)
        next[t * count + v] = b.fma(slope, lanes[v], next[t * count + v]);
    }
    return next;
  });
  for (int64_t t = 0; t < kTileTokens; ++t)
    for (int64_t v = 0; v < count; ++v)
      b.storeLanes(sums[t * count + v], buffers.chains, place(t, v));
}

void InputGrad::iterate(Value group, Value begin, Value end,
                        const Buffers &buffers, int64_t steps, bool isEnd) {
  Value count = b.subI(end, begin);
  Value padded = b.mulI(b.ceilDivI(count, kTileTokens), b.index(kTileTokens));
  Value zero = b.lanes(0.0f);
  // body(quad, its vectors)
  auto forQuads = [&](function_ref<void(Value, int64_t)> body) {
    b.loop(b.index(0), b.index(steps / kVectors), 1,
           [&](Value quad) { body(quad, kVectors); });
    if (steps % kVectors)
      body(b.index(steps / kVectors), steps % kVectors);
  };
  forQuads([&](Value quad, int64_t vectors) {
    b.loop(b.index(0), padded, 1, [&](Value token) {
      for (int64_t v = 0; v < vectors; ++v)
        b.storeLanes(zero, buffers.chains, {quad, token, b.index(v * kLanes)});
    });
  });
  // Slopes of the tokens that pad the last tile. Any number works that is not
  // slow to compute with.
  b.loop(count, padded, 1, [&](Value token) {
    b.loop(b.index(0), b.index(kPanelRows), kLanes, [&](Value row) {
      b.storeLanes(zero, buffers.slopes, {token, row});
    });
  });

  b.loop(b.index(0), b.index(weight.n()), kPanelRows, [&](Value firstRow) {
    Value rows =
        b.minI(b.index(kPanelRows), b.subI(b.index(weight.n()), firstRow));
    decode(group, firstRow, rows, buffers.panel, steps, isEnd);
    widen(begin, count, firstRow, rows, buffers.slopes);
    forQuads([&](Value quad, int64_t vectors) {
      b.loop(b.index(0), padded, kTileTokens, [&](Value token) {
        for (int64_t v = 0; v < vectors; v += tileVectors)
          tile(token, quad, v, std::min(tileVectors, vectors - v), rows,
               buffers);
      });
    });
  });

  b.loop(b.index(0), count, 1, [&](Value token) {
    for (int64_t step = 0; step < steps; ++step) {
      Value sum =
          b.loadLanes(buffers.chains, {b.index(step / kVectors), token,
                                       b.index(step % kVectors * kLanes)});
      Value column = b.addI(b.mulI(group, b.index(kGroupSteps * kLanes)),
                            b.index(step * kLanes));
      SmallVector<Value> at{b.addI(begin, token), column};
      if (isEnd && step == steps - 1 && weight.lastLanes() != kLanes)
        b.storeLanes(sum, dx, at, b.index(weight.lastLanes()));
      else
        b.storeLanes(sum, dx, at);
    }
  });
}

void InputGrad::run() {
  Chunks chunks =
      cutEvenly(b, tokens, kTileTokens, chunkTokens / kTileTokens, groups());
  int64_t lastSteps = weight.steps() - (groups() - 1) * kGroupSteps;
  b.parallel(b.mulI(chunks.count, b.index(groups())), [&](Value iteration) {
    Type f32 = b.getF32Type();
    Buffers buffers{localBuffer(b, {groupQuads(), kPanelRows, kColumns}, f32),
                    localBuffer(b, {chunkTokens, kPanelRows}, f32),
                    localBuffer(b, {groupQuads(), chunkTokens, kColumns}, f32)};
    Value group = b.remI(iteration, b.index(groups()));
    auto [begin, end] =
        chunks.range(b, b.divI(iteration, b.index(groups())), tokens);
    if (weight.k() % (kGroupBlocks * kBlock) == 0)
      return iterate(group, begin, end, buffers, kGroupSteps, false);
    if (groups() == 1)
      return iterate(group, begin, end, buffers, lastSteps, true);
    b.ifThen(b.lessI(group, b.index(groups() - 1)),
             [&] { iterate(group, begin, end, buffers, kGroupSteps, false); });
    b.ifThen(b.equal(group, b.index(groups() - 1)),
             [&] { iterate(group, begin, end, buffers, lastSteps, true); });
  });
}

} // namespace

LogicalResult emitLinearInputGrad(Kernel &kernel, Value dy, Value weight,
                                  Value dx) {
  FailureOr<WeightReader> reader = WeightReader::create(kernel, weight);
  if (failed(reader))
    return failure();
  int64_t tileVectors = kernel.machine.vectorRegisters < 32 ? 1 : kVectors;
  // Chains and slopes of a chunk take half of the second-level cache.
  int64_t columns = std::min(reader->steps(), kGroupSteps) * kLanes;
  int64_t fitting = kernel.machine.l2Bytes / 2 / (4 * (columns + kPanelRows));
  int64_t chunkTokens =
      std::clamp<int64_t>(fitting, 48, 192) / kTileTokens * kTileTokens;
  InputGrad{kernel.b,    *reader,    dy, dx, kernel.b.dim(dy, 0),
            tileVectors, chunkTokens}
      .run();
  return success();
}

} // namespace nibble::host
