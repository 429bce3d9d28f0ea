// dw = init + dyT x: each element is one chain of fused multiply-adds over the
// tokens, ascending, starting at init (N10).
//
// An iteration owns up to 256 columns and a chunk of rows. It takes the tokens
// in blocks and widens x and dy of a block into local panels once. Then
// register tiles of rows x vectors run over one quad of 64 columns at a time,
// whose part of the panel stays in the first-level cache. Between blocks dw
// itself holds the chains.
#include "passes/LowerToHost/Emit/Chunks.h"
#include "passes/LowerToHost/Linear/LinearKernels.h"
#include "passes/LowerToHost/Linear/LinearWeight.h"

using namespace mlir;

namespace nibble::host {

namespace {

constexpr int64_t kVectors = 4; // vectors of sixteen columns in a quad
constexpr int64_t kColumns = kVectors * kLanes;
constexpr int64_t kGroupSteps = 16; // vectors of sixteen columns per iteration
constexpr int64_t kTileRows = 6;
constexpr int64_t kChunkRows = 132;
constexpr int64_t kTokensAhead = 8;  // prefetch distance of widening
constexpr int64_t kBlockTokens = 96; // 24 KB of x per quad, 50 KB of dy

// A block of tokens in float32: x as [quad, token, column], dy as [token, row].
struct Panels {
  Value x, dy;
  Value count; // tokens
};

struct WeightGrad {
  Emitter &b;
  Value dy, x, dw; // [T, N], [T, K], [N, K]
  int64_t n, k;
  Value tokens;
  int64_t tileVectors;

  int64_t lastLanes() const { return k % kLanes ? k % kLanes : kLanes; }
  int64_t steps() const { return ceilDiv(k, kLanes); }
  int64_t groups() const { return ceilDiv(steps(), kGroupSteps); }
  int64_t groupQuads() const {
    return ceilDiv(std::min(steps(), kGroupSteps), kVectors);
  }
  void run();
  void iterate(Value group, Value firstRow, Value endRow, Panels panels,
               int64_t steps, bool isEnd);
  void widenX(Value firstToken, Value column, const Panels &panels,
              int64_t steps, bool isEnd);
  void widenDy(Value firstToken, Value firstRow, Value rows,
               const Panels &panels);
  void tile(Value row, Value firstRow, int64_t height, Value quad, Value column,
            ArrayRef<int64_t> lanes, int64_t firstVector, const Panels &panels);
};

void WeightGrad::widenX(Value firstToken, Value column, const Panels &panels,
                        int64_t steps, bool isEnd) {
  b.loop(b.index(0), panels.count, 1, [&](Value token) {
    for (int64_t step = 0; step < steps; ++step) {
      SmallVector<Value> at{b.addI(firstToken, token),
                            b.addI(column, b.index(step * kLanes))};
      bool isCut = isEnd && step == steps - 1 && lastLanes() != kLanes;
      b.storeLanes(
          isCut ? b.loadLanes(x, at, b.index(lastLanes())) : b.loadLanes(x, at),
          panels.x,
          {b.index(step / kVectors), token, b.index(step % kVectors * kLanes)});
    }
  });
}

void WeightGrad::widenDy(Value firstToken, Value firstRow, Value rows,
                         const Panels &panels) {
  Value last = b.subI(tokens, b.index(1));
  b.loop(b.index(0), panels.count, 1, [&](Value token) {
    Value source = b.addI(firstToken, token);
    prefetchRow(b, dy, b.minI(b.addI(source, b.index(kTokensAhead)), last),
                firstRow, std::min(n, kChunkRows));
    Value whole = b.mulI(b.divI(rows, b.index(kLanes)), b.index(kLanes));
    b.loop(b.index(0), whole, kLanes, [&](Value row) {
      b.storeLanes(b.loadLanes(dy, {source, b.addI(firstRow, row)}), panels.dy,
                   {token, row});
    });
    b.loop(whole, rows, 1, [&](Value row) {
      b.store(b.load(dy, {source, b.addI(firstRow, row)}), panels.dy,
              {token, row});
    });
  });
}

// A tile of `height` rows by as many vectors as `lanes` has elements. These are
// the valid columns of each vector in dw.
void WeightGrad::tile(Value row, Value firstRow, int64_t height, Value quad,
                      Value column, ArrayRef<int64_t> lanes,
                      int64_t firstVector, const Panels &panels) {
  int64_t count = lanes.size();
  auto at = [&](int64_t r, int64_t v) -> SmallVector<Value> {
    return {b.addI(firstRow, b.addI(row, b.index(r))),
            b.addI(column, b.index((firstVector + v) * kLanes))};
  };
  SmallVector<Value> sums;
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < count; ++v)
      sums.push_back(lanes[v] == kLanes
                         ? b.loadLanes(dw, at(r, v))
                         : b.loadLanes(dw, at(r, v), b.index(lanes[v])));
  // Prefetch the rows of the next tile while this one is computed.
  for (int64_t r = 0; r < height; ++r) {
    Value next = b.minI(b.addI(firstRow, b.addI(row, b.index(kTileRows + r))),
                        b.index(n - 1));
    prefetchRow(b, dw, next, b.addI(column, b.index(firstVector * kLanes)),
                count * kLanes);
  }
  sums = b.loop(
      b.index(0), panels.count, 1, sums, [&](Value token, ValueRange carried) {
        SmallVector<Value> next(carried);
        SmallVector<Value> activations;
        for (int64_t v = 0; v < count; ++v)
          activations.push_back(b.loadLanes(
              panels.x, {quad, token, b.index((firstVector + v) * kLanes)}));
        for (int64_t r = 0; r < height; ++r) {
          Value slope =
              b.splat(b.load(panels.dy, {token, b.addI(row, b.index(r))}));
          for (int64_t v = 0; v < count; ++v)
            next[r * count + v] =
                b.fma(slope, activations[v], next[r * count + v]);
        }
        return next;
      });
  for (int64_t r = 0; r < height; ++r)
    for (int64_t v = 0; v < count; ++v) {
      if (lanes[v] == kLanes)
        b.storeLanes(sums[r * count + v], dw, at(r, v));
      else
        b.storeLanes(sums[r * count + v], dw, at(r, v), b.index(lanes[v]));
    }
}

void WeightGrad::iterate(Value group, Value firstRow, Value endRow,
                         Panels panels, int64_t steps, bool isEnd) {
  Value firstColumn = b.mulI(group, b.index(kGroupSteps * kLanes));
  Value rows = b.subI(endRow, firstRow);
  Value whole = b.mulI(b.divI(rows, b.index(kTileRows)), b.index(kTileRows));
  auto walkQuad = [&](Value quad, int64_t vectors, bool hasEnd) {
    SmallVector<int64_t> lanes(vectors, kLanes);
    if (hasEnd)
      lanes.back() = lastLanes();
    Value column = b.addI(firstColumn, b.mulI(quad, b.index(kColumns)));
    auto tiles = [&](Value row, int64_t height) {
      for (int64_t v = 0; v < vectors; v += tileVectors)
        tile(row, firstRow, height, quad, column,
             ArrayRef(lanes).slice(v, std::min(tileVectors, vectors - v)), v,
             panels);
    };
    if (n >= kTileRows)
      b.loop(b.index(0), whole, kTileRows,
             [&](Value row) { tiles(row, kTileRows); });
    // Chunks are whole tiles except for the last.
    if (n % kTileRows)
      b.ifThen(b.lessI(whole, rows), [&] { tiles(whole, n % kTileRows); });
  };

  Value blocks = b.ceilDivI(tokens, kBlockTokens);
  b.loop(b.index(0), blocks, 1, [&](Value block) {
    auto boundary = [&](Value i) { return b.divI(b.mulI(i, tokens), blocks); };
    Value firstToken = boundary(block);
    panels.count = b.subI(boundary(b.addI(block, b.index(1))), firstToken);
    widenX(firstToken, firstColumn, panels, steps, isEnd);
    widenDy(firstToken, firstRow, rows, panels);
    // The last quad is handled separately when it is partial.
    int64_t lastVectors = (steps - 1) % kVectors + 1;
    bool isCut = lastVectors != kVectors || (isEnd && lastLanes() != kLanes);
    int64_t wholeQuads = ceilDiv(steps, kVectors) - (isCut ? 1 : 0);
    b.loop(b.index(0), b.index(wholeQuads), 1,
           [&](Value quad) { walkQuad(quad, kVectors, false); });
    if (isCut)
      walkQuad(b.index(wholeQuads), lastVectors, isEnd);
  });
}

void WeightGrad::run() {
  Chunks chunks =
      cutEvenly(b, b.index(n), kTileRows, kChunkRows / kTileRows, groups());
  int64_t lastSteps = steps() - (groups() - 1) * kGroupSteps;
  b.parallel(b.mulI(chunks.count, b.index(groups())), [&](Value iteration) {
    Type f32 = b.getF32Type();
    Panels panels{localBuffer(b, {groupQuads(), kBlockTokens, kColumns}, f32),
                  localBuffer(b, {kBlockTokens, kChunkRows}, f32), Value()};
    Value group = b.remI(iteration, b.index(groups()));
    auto [firstRow, endRow] =
        chunks.range(b, b.divI(iteration, b.index(groups())), b.index(n));
    if (k % (kGroupSteps * kLanes) == 0)
      return iterate(group, firstRow, endRow, panels, kGroupSteps, false);
    if (groups() == 1)
      return iterate(group, firstRow, endRow, panels, lastSteps, true);
    b.ifThen(b.lessI(group, b.index(groups() - 1)), [&] {
      iterate(group, firstRow, endRow, panels, kGroupSteps, false);
    });
    b.ifThen(b.equal(group, b.index(groups() - 1)), [&] {
      iterate(group, firstRow, endRow, panels, lastSteps, true);
    });
  });
}

} // namespace

LogicalResult emitLinearWeightGrad(Kernel &kernel, Value dy, Value x,
                                   Value dweight) {
  auto type = cast<RankedTensorType>(kernel.tensorType(dweight));
  if (!type.hasStaticShape())
    return kernel.op.emitOpError()
           << "gradient " << type << " of " << kernel.op.getSource()
           << ": both extents must be known to lower it to the host; give the "
              "tensor a static shape";
  Emitter &b = kernel.b;
  int64_t tileVectors = kernel.machine.vectorRegisters < 32 ? 1 : kVectors;
  WeightGrad grad{b,
                  dy,
                  x,
                  dweight,
                  type.getDimSize(0),
                  type.getDimSize(1),
                  b.dim(dy, 0),
                  tileVectors};
  grad.run();
  return success();
}

} // namespace nibble::host
