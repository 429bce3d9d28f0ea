// dw = init + dyT x: for each element one chain of fused multiply-adds over the tokens ascending, starting at init
// (N10).
//
// An iteration owns 64 columns and a chunk of rows. It takes the tokens in blocks, widens x and dy of the block into
// local panels, and runs register tiles of rows x vectors over them; dw itself holds the chains in between.
#include "passes/LowerToHost/LinearKernels.h"
#include "passes/LowerToHost/LinearWeight.h"

using namespace mlir;

namespace nibble::host {

namespace {

constexpr int64_t kVectors = 4; // of sixteen columns in one iteration
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kTileRows = 6;
constexpr int64_t kChunkRows = 96;
constexpr int64_t kBlockTokens = 128; // panels of 32 KB (x) and 48 KB (dy)

struct WeightGrad {
  Emitter &b;
  Value dy, x, dw; // [T, N], [T, K], [N, K]
  int64_t n, k;
  Value tokens;
  int64_t tileVectors;

  int64_t lastLanes() const { return k % kLanes ? k % kLanes : kLanes; }
  int64_t columnBlocks() const { return ceilDiv(k, kColumns); }
  int64_t rowChunks() const { return ceilDiv(n, kChunkRows); }
  // Lanes of vector `v`; only the last of the last block may be partial.
  int64_t lanesOf(int64_t v, int64_t vectors, bool isEnd) const {
    return isEnd && v == vectors - 1 ? lastLanes() : kLanes;
  }
  void run();
  void iterate(Value column, Value firstRow, Value endRow, int64_t vectors, bool isEnd);
  void widenX(Value firstToken, Value count, Value column, Value panel, int64_t vectors, bool isEnd);
  void widenDy(Value firstToken, Value count, Value firstRow, Value rows, Value panel);
  void tile(Value row, Value firstRow, int64_t height, Value column, int64_t vector, int64_t count, int64_t vectors,
            bool isEnd, Value blockTokens, Value xPanel, Value dyPanel);
};

void WeightGrad::widenX(Value firstToken, Value count, Value column, Value panel, int64_t vectors, bool isEnd) {
  b.loop(b.index(0), count, 1, [&](Value token) {
    for (int64_t v = 0; v < vectors; ++v) {
      SmallVector<Value> at{b.addI(firstToken, token), b.addI(column, b.index(v * kLanes))};
      int64_t lanes = lanesOf(v, vectors, isEnd);
      b.storeLanes(lanes == kLanes ? b.loadLanes(x, at) : b.loadLanes(x, at, b.index(lanes)), panel,
                   {token, b.index(v * kLanes)});
    }
  });
}

void WeightGrad::widenDy(Value firstToken, Value count, Value firstRow, Value rows, Value panel) {
  b.loop(b.index(0), count, 1, [&](Value token) {
    Value source = b.addI(firstToken, token);
    Value whole = b.mulI(b.divI(rows, b.index(kLanes)), b.index(kLanes));
    b.loop(b.index(0), whole, kLanes,
           [&](Value row) { b.storeLanes(b.loadLanes(dy, {source, b.addI(firstRow, row)}), panel, {token, row}); });
    b.loop(whole, rows, 1,
           [&](Value row) { b.store(b.load(dy, {source, b.addI(firstRow, row)}), panel, {token, row}); });
  });
}

void WeightGrad::tile(Value row, Value firstRow, int64_t height, Value column, int64_t vector, int64_t count,
                      int64_t vectors, bool isEnd, Value blockTokens, Value xPanel, Value dyPanel) {
  auto at = [&](int64_t r, int64_t v) -> SmallVector<Value> {
    return {b.addI(firstRow, b.addI(row, b.index(r))), b.addI(column, b.index((vector + v) * kLanes))};
  };
  SmallVector<Value> sums;
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < count; ++v) {
      int64_t lanes = lanesOf(vector + v, vectors, isEnd);
      sums.push_back(lanes == kLanes ? b.loadLanes(dw, at(r, v)) : b.loadLanes(dw, at(r, v), b.index(lanes)));
    }
  sums = b.loop(b.index(0), blockTokens, 1, sums, [&](Value token, ValueRange carried) {
    SmallVector<Value> next(carried), lanes;
    for (int64_t v = 0; v < count; ++v)
      lanes.push_back(b.loadLanes(xPanel, {token, b.index((vector + v) * kLanes)}));
    for (int64_t r = 0; r < height; ++r) {
      Value slope = b.splat(b.load(dyPanel, {token, b.addI(row, b.index(r))}));
      for (int64_t v = 0; v < count; ++v)
        next[r * count + v] = b.fma(slope, lanes[v], next[r * count + v]);
    }
    return next;
  });
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < count; ++v) {
      int64_t lanes = lanesOf(vector + v, vectors, isEnd);
      if (lanes == kLanes)
        b.storeLanes(sums[r * count + v], dw, at(r, v));
      else
        b.storeLanes(sums[r * count + v], dw, at(r, v), b.index(lanes));
    }
}

void WeightGrad::iterate(Value column, Value firstRow, Value endRow, int64_t vectors, bool isEnd) {
  Type f32 = b.getF32Type();
  Value xPanel = localBuffer(b, {kBlockTokens, kColumns}, f32);
  Value dyPanel = localBuffer(b, {kBlockTokens, kChunkRows}, f32);
  Value rows = b.subI(endRow, firstRow);
  Value whole = b.mulI(b.divI(rows, b.index(kTileRows)), b.index(kTileRows));
  b.loop(b.index(0), tokens, kBlockTokens, [&](Value firstToken) {
    Value count = b.minI(b.index(kBlockTokens), b.subI(tokens, firstToken));
    widenX(firstToken, count, column, xPanel, vectors, isEnd);
    widenDy(firstToken, count, firstRow, rows, dyPanel);
    auto tiles = [&](Value row, int64_t height) {
      for (int64_t v = 0; v < vectors; v += tileVectors)
        tile(row, firstRow, height, column, v, std::min(tileVectors, vectors - v), vectors, isEnd, count, xPanel,
             dyPanel);
    };
    if (n >= kTileRows)
      b.loop(b.index(0), whole, kTileRows, [&](Value row) { tiles(row, kTileRows); });
    // Chunks are whole tiles but for the last.
    if (n % kTileRows)
      b.ifThen(b.lessI(whole, rows), [&] { tiles(whole, n % kTileRows); });
  });
}

void WeightGrad::run() {
  int64_t blocks = columnBlocks(), rest = k % kColumns;
  b.parallel(b.index(blocks * rowChunks()), [&](Value iteration) {
    Value columnBlock = b.remI(iteration, b.index(blocks));
    Value column = b.mulI(columnBlock, b.index(kColumns));
    Value firstRow = b.mulI(b.divI(iteration, b.index(blocks)), b.index(kChunkRows));
    Value endRow = b.minI(b.addI(firstRow, b.index(kChunkRows)), b.index(n));
    if (rest == 0)
      return iterate(column, firstRow, endRow, kVectors, false);
    if (blocks > 1)
      b.ifThen(b.lessI(columnBlock, b.index(blocks - 1)), [&] { iterate(column, firstRow, endRow, kVectors, false); });
    b.ifThen(b.equalI(columnBlock, b.index(blocks - 1)),
             [&] { iterate(column, firstRow, endRow, ceilDiv(rest, kLanes), true); });
  });
}

} // namespace

LogicalResult emitLinearWeightGrad(Kernel &kernel) {
  auto type = cast<RankedTensorType>(kernel.outputType(0));
  if (!type.hasStaticShape())
    return kernel.op.emitOpError()
           << "gradient " << type << " of " << kernel.op.getSource()
           << ": both extents must be known to lower it to the host; give the tensor a static shape";
  Emitter &b = kernel.b;
  int64_t tileVectors = kernel.machine.vectorRegisters < 32 ? 1 : kVectors;
  WeightGrad grad{b,
                  kernel.inputs[0],
                  kernel.inputs[1],
                  kernel.outputs[0],
                  type.getDimSize(0),
                  type.getDimSize(1),
                  b.dim(kernel.inputs[0], 0),
                  tileVectors};
  grad.run();
  return success();
}

} // namespace nibble::host
