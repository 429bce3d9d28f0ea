// y = x wT, by N11.
//
// Some rows of the weight are decoded into a panel [step][row][lane]. Tiles of
// tokens run over it with one accumulator of sixteen lanes for each output. The
// number of tokens and the division among threads change which accumulators are
// computed together, but never the order of their additions. Few tokens need no
// panel (LinearDirect.h).
#include "passes/LowerToHost/Linear/LinearDirect.h"
#include "passes/LowerToHost/Linear/LinearKernels.h"
#include "passes/LowerToHost/Linear/LinearTile.h"

#include <numeric>

using namespace mlir;

namespace nibble::host {

namespace {

// Fewest tokens of an iteration, unless there are fewer in all.
constexpr int64_t kFewest = 132;

struct Forward {
  const CpuTarget &machine;
  Emitter &b;
  const WeightReader &weight;
  LinearEpilogue epilogue;
  Value source; // the op's x, bf16 or float32
  Value tokens; // index
  Value x;      // [T, at least steps * 16] float32
  // The register tile. Six tokens and four rows read ten vectors for 24
  // multiply-adds. While tiles walk along K the four rows stay in or near the
  // first-level cache.
  int64_t tileTokens = 6;
  int64_t panelRows = 4;
  // Limit of the blocks of 128 columns in a panel, which keeps the panel on the
  // stack within 512 KB. With more blocks, sums are stored in memory until the
  // next panel.
  int64_t mostBlocks = 256;

  int64_t rowBlocks() const { return ceilDiv(weight.n(), kTileRows); }
  int64_t blocks() const { return ceilDiv(weight.k(), kBlock); }
  // Panels along K, as equal as whole blocks allow.
  int64_t panels() const { return ceilDiv(blocks(), mostBlocks); }
  int64_t panelBlocks() const { return ceilDiv(blocks(), panels()); }
  int64_t panelSteps() const {
    return std::min(panelBlocks() * kBlockSteps, weight.steps());
  }
  int64_t lastSteps() const {
    return weight.steps() - (panels() - 1) * panelBlocks() * kBlockSteps;
  }
  // The largest number of tokens of one iteration. Their x must fit in the
  // second-level cache. If only few tokens fit, the iteration has more: reading
  // x from the next level then costs less than decoding the weight again.
  int64_t fittingTokens() const {
    return machine.l2Bytes / 2 / (4 * kLanes * weight.steps());
  }
  int64_t chunkTokens() const {
    return std::clamp<int64_t>(fittingTokens(), kFewest, 768) / 6 * 6;
  }
  bool keepsActivations() const { return fittingTokens() >= kFewest; }
  // Columns of x in float32. Rows at distances of a multiple of 2 KB would
  // share few sets of the cache.
  int64_t widenedColumns() const {
    return weight.steps() * kLanes + (weight.steps() % 32 == 0 ? kLanes : 0);
  }

  // The lanes of a register, and that many lanes of a vector<16xf32> from
  // `lane` on.
  int64_t width() const { return std::min(machine.vectorFloats, kLanes); }
  Value part(Value lanes, int64_t lane) const {
    if (width() == kLanes)
      return lanes;
    return vector::ExtractStridedSliceOp::create(
        b, lanes, ArrayRef<int64_t>{lane}, ArrayRef<int64_t>{width()},
        ArrayRef<int64_t>{1});
  }

  void widen();
  void run();
  void panelled(Value rowBlock, Value begin, Value end);
  void decode(Value firstRow, Value panel, Value buffer);
  SmallVector<Value> accumulate(Value token, int64_t count, Value panel,
                                Value buffer, Value steps,
                                ArrayRef<Value> init);
  SmallVector<Value> walk(Value token, int64_t count, Value firstColumn,
                          Value buffer, Value steps, ArrayRef<Value> init,
                          int64_t lane);
  void finish(Value token, int64_t count, Value firstRow, ArrayRef<Value> sums);
  void store(Value outputs, Value token, Value firstRow);
  void forTiles(Value begin, Value end,
                function_ref<void(Value token, int64_t count)> body);
};

// x in float32, padded with +0 to whole steps. If x has this form already it is
// used directly.
void Forward::widen() {
  bool isFloat = cast<MemRefType>(source.getType()).getElementType().isF32();
  if (isFloat && weight.lastLanes() == kLanes) {
    x = source;
    return;
  }
  x = b.scratch({ShapedType::kDynamic, widenedColumns()}, tokens,
                b.getF32Type());
  auto row = [&](Value token) {
    int64_t whole = weight.k() / kLanes * kLanes;
    b.loop(b.index(0), b.index(whole), kLanes, [&](Value column) {
      b.storeLanes(b.loadLanes(source, {token, column}), x, {token, column});
    });
    if (whole < weight.k())
      b.storeLanes(b.loadLanes(source, {token, b.index(whole)},
                               b.index(weight.lastLanes())),
                   x, {token, b.index(whole)});
  };
  b.parallel(tokens, row);
}

// The rows of panel `panel`. A row beyond N repeats the last one and is not
// stored.
void Forward::decode(Value firstRow, Value panel, Value buffer) {
  int64_t wholeBlocks = weight.k() / kBlock;
  Value firstBlock = b.mulI(panel, b.index(panelBlocks()));
  Value endBlock =
      b.minI(b.addI(firstBlock, b.index(panelBlocks())), b.index(wholeBlocks));
  b.loop(b.index(0), b.index(panelRows), 1, [&](Value row) {
    Value source = b.minI(b.addI(firstRow, row), b.index(weight.n() - 1));
    auto block = [&](Value index, int64_t count, bool isEnd) {
      weight.prefetch(b, b.addI(source, b.index(panelRows)), index);
      Value step = b.mulI(b.subI(index, firstBlock), b.index(kBlockSteps));
      weight.read(b, source, index, 0, count, isEnd,
                  [&](int64_t i, Value lanes) {
                    b.storeLanes(lanes, buffer,
                                 {b.addI(step, b.index(i)), row, b.index(0)});
                  });
    };
    b.loop(firstBlock, endBlock, 1,
           [&](Value index) { block(index, kBlockSteps, false); });
    if (wholeBlocks == blocks())
      return;
    auto tail = [&] {
      block(b.index(wholeBlocks), weight.steps() - wholeBlocks * kBlockSteps,
            true);
    };
    if (panels() == 1)
      tail();
    else
      b.ifThen(b.equal(panel, b.index(panels() - 1)), tail);
  });
}

// `init` plus one fused multiply-add per lane and step, ascending. If a
// register holds eight lanes, the lower eight walk along K before the upper
// eight, because a tile of both would not fit in the registers.
SmallVector<Value> Forward::accumulate(Value token, int64_t count, Value panel,
                                       Value buffer, Value steps,
                                       ArrayRef<Value> init) {
  Value firstColumn = b.mulI(panel, b.index(panelBlocks() * kBlock));
  SmallVector<Value> sums;
  for (int64_t lane = 0; lane < kLanes; lane += width()) {
    SmallVector<Value> parts;
    for (Value sum : init)
      parts.push_back(part(sum, lane));
    parts = walk(token, count, firstColumn, buffer, steps, parts, lane);
    if (lane == 0) {
      sums = std::move(parts);
      continue;
    }
    SmallVector<int64_t> both(lane + width());
    std::iota(both.begin(), both.end(), 0);
    for (auto [sum, upper] : llvm::zip_equal(sums, parts))
      sum = vector::ShuffleOp::create(b, sum, upper, both);
  }
  return sums;
}

// As many lanes from `lane` on as `init` has. The shorter side of the tile
// stays in registers while the other is streamed.
SmallVector<Value> Forward::walk(Value token, int64_t count, Value firstColumn,
                                 Value buffer, Value steps,
                                 ArrayRef<Value> init, int64_t lane) {
  auto type = cast<VectorType>(init.front().getType());
  return b.loop(
      b.index(0), steps, 1, init, [&](Value step, ValueRange carried) {
        SmallVector<Value> sums(carried);
        Value column = b.addI(
            firstColumn, b.addI(b.mulI(step, b.index(kLanes)), b.index(lane)));
        auto activations = [&](int64_t t) {
          return b.loadVector(x, {b.addI(token, b.index(t)), column}, type);
        };
        auto lanes = [&](int64_t row) {
          return b.loadVector(buffer, {step, b.index(row), b.index(lane)},
                              type);
        };
        SmallVector<Value> waiting;
        bool rowsWait = panelRows < count;
        for (int64_t i = 0, end = rowsWait ? panelRows : count; i < end; ++i)
          waiting.push_back(rowsWait ? lanes(i) : activations(i));
        for (int64_t i = 0, end = rowsWait ? count : panelRows; i < end; ++i) {
          Value passing = rowsWait ? activations(i) : lanes(i);
          for (auto [j, other] : llvm::enumerate(waiting)) {
            Value &sum =
                rowsWait ? sums[i * panelRows + j] : sums[j * panelRows + i];
            sum = b.fma(rowsWait ? passing : other, rowsWait ? other : passing,
                        sum);
          }
        }
        return sums;
      });
}

// Eight sums go through the tree together: all rows of one token, or the rows
// of several tokens.
void Forward::finish(Value token, int64_t count, Value firstRow,
                     ArrayRef<Value> sums) {
  int64_t height = static_cast<int64_t>(sums.size()) / count;
  int64_t together = kTileRows / height;
  for (int64_t t = 0; t < count; t += together) {
    SmallVector<Value> eight;
    // A missing token repeats the last one.
    for (int64_t i = 0; i < kTileRows; ++i)
      eight.push_back(
          sums[std::min(t + i / height, count - 1) * height + i % height]);
    Value outputs = reduceRows(b, eight);
    for (int64_t i = 0; i < std::min(together, count - t); ++i) {
      Value part = outputs;
      if (together > 1)
        part = vector::ExtractStridedSliceOp::create(
            b, outputs, ArrayRef<int64_t>{i * height},
            ArrayRef<int64_t>{height}, ArrayRef<int64_t>{1});
      store(part, b.addI(token, b.index(t + i)), firstRow);
    }
  }
}

// Stores the rows of one token; rows beyond N are left out.
void Forward::store(Value outputs, Value token, Value firstRow) {
  int64_t count = cast<VectorType>(outputs.getType()).getNumElements();
  int64_t rest = weight.n() % count;
  if (!rest)
    return epilogue.store(b, outputs, token, firstRow, count);
  if (weight.n() > count)
    b.ifThen(b.lessI(firstRow, b.index(weight.n() - rest)),
             [&] { epilogue.store(b, outputs, token, firstRow, count); });
  b.ifThen(b.equal(firstRow, b.index(weight.n() - rest)),
           [&] { epilogue.store(b, outputs, token, firstRow, rest); });
}

// Divides [begin, end) into tiles of tileTokens and a remainder.
void Forward::forTiles(Value begin, Value end,
                       function_ref<void(Value token, int64_t count)> body) {
  Value count = b.subI(end, begin);
  Value whole = b.addI(
      begin, b.mulI(b.divI(count, b.index(tileTokens)), b.index(tileTokens)));
  b.loop(begin, whole, tileTokens,
         [&](Value token) { body(token, tileTokens); });
  Value rest = b.subI(end, whole);
  for (int64_t size = tileTokens - 1; size > 0; --size)
    b.ifThen(b.equal(rest, b.index(size)), [&] { body(whole, size); });
}

void Forward::run() {
  // Chunks of equal length in whole tiles.
  Value chunks = b.ceilDivI(tokens, chunkTokens());
  Value each = b.divI(b.addI(tokens, b.subI(chunks, b.index(1))),
                      b.maxI(chunks, b.index(1)));
  Value chunk = b.mulI(b.ceilDivI(each, tileTokens), b.index(tileTokens));
  DirectLinear direct{b, weight, x, machine.vectorRegisters};
  b.parallel(b.mulI(chunks, b.index(rowBlocks())), [&](Value iteration) {
    Value rowBlock = b.remI(iteration, b.index(rowBlocks()));
    Value begin = b.mulI(b.divI(iteration, b.index(rowBlocks())), chunk);
    Value end = b.minI(b.addI(begin, chunk), tokens);
    Value isFew = b.lessI(tokens, b.index(direct.mostTokens() + 1));
    Value first = b.mulI(rowBlock, b.index(kTileRows));
    Value isOrdinary = weight.hasOrdinaryScales(
        b, first,
        b.minI(b.addI(first, b.index(kTileRows)), b.index(weight.n())));
    b.ifThenElse(
        isOrdinary ? arith::AndIOp::create(b, isFew, isOrdinary).getResult()
                   : isFew,
        [&] {
          direct.emit(begin, end, rowBlock,
                      [&](Value token, ArrayRef<Value> sums) {
                        finish(token, 1, first, sums);
                      });
        },
        [&] { panelled(rowBlock, begin, end); });
  });
}

// One iteration with panels, two for each block of rows.
void Forward::panelled(Value rowBlock, Value begin, Value end) {
  Type f32 = b.getF32Type();
  SmallVector<Value> zeros(tileTokens * panelRows, b.lanes(0.0f));
  Value buffer = localBuffer(b, {panelSteps(), panelRows, kLanes}, f32);
  Value first = b.mulI(rowBlock, b.index(kTileRows));
  Value endRow = b.minI(b.addI(first, b.index(kTileRows)), b.index(weight.n()));
  Value last = b.index(panels() - 1);
  Value lastCount = b.index(lastSteps());
  if (panels() == 1) {
    auto tile = [&](Value token, int64_t count, Value row, Value panel) {
      auto init = ArrayRef(zeros).take_front(count * panelRows);
      finish(token, count, row,
             accumulate(token, count, last, panel, lastCount, init));
    };
    if (keepsActivations()) {
      b.loop(first, endRow, panelRows, [&](Value row) {
        decode(row, last, buffer);
        forTiles(begin, end, [&](Value token, int64_t count) {
          tile(token, count, row, buffer);
        });
      });
      return;
    }
    // Both panels of the block are applied to a tile of tokens while it is in
    // the cache, which halves the traffic for x.
    Value second = b.addI(first, b.index(panelRows));
    Value more = b.lessI(second, b.index(weight.n()));
    Value other = localBuffer(b, {panelSteps(), panelRows, kLanes}, f32);
    decode(first, last, buffer);
    b.ifThen(more, [&] { decode(second, last, other); });
    forTiles(begin, end, [&](Value token, int64_t count) {
      tile(token, count, first, buffer);
      b.ifThen(more, [&] { tile(token, count, second, other); });
    });
    return;
  }

  // Sums between panels.
  Value waiting = localBuffer(b, {chunkTokens(), panelRows, kLanes}, f32);
  auto at = [&](Value token, int64_t i) -> SmallVector<Value> {
    return {b.addI(b.subI(token, begin), b.index(i / panelRows)),
            b.index(i % panelRows), b.index(0)};
  };
  auto goOn = [&](Value token, int64_t count, Value panel, Value steps) {
    SmallVector<Value> sums;
    for (int64_t i = 0; i < count * panelRows; ++i)
      sums.push_back(b.loadLanes(waiting, at(token, i)));
    return accumulate(token, count, panel, buffer, steps, sums);
  };
  b.loop(first, endRow, panelRows, [&](Value row) {
    b.loop(begin, end, 1, [&](Value token) {
      for (int64_t i = 0; i < panelRows; ++i)
        b.storeLanes(zeros[i], waiting, at(token, i));
    });
    b.loop(b.index(0), last, 1, [&](Value panel) {
      decode(row, panel, buffer);
      forTiles(begin, end, [&](Value token, int64_t count) {
        for (auto [i, sum] : llvm::enumerate(goOn(
                 token, count, panel, b.index(panelBlocks() * kBlockSteps))))
          b.storeLanes(sum, waiting, at(token, i));
      });
    });
    decode(row, last, buffer);
    forTiles(begin, end, [&](Value token, int64_t count) {
      finish(token, count, row, goOn(token, count, last, lastCount));
    });
  });
}

} // namespace

LogicalResult emitLinearForward(Kernel &kernel, Value x, Value weight,
                                Value bias, Value residual, Value y) {
  FailureOr<WeightReader> reader = WeightReader::create(kernel, weight);
  if (failed(reader))
    return failure();
  Emitter &b = kernel.b;
  LinearEpilogue epilogue{y, bias, residual};
  Forward forward{kernel.machine, b,      *reader, epilogue, x,
                  b.dim(x, 0),    Value()};
  if (kernel.machine.vectorRegisters < 32) {
    // Twelve sums, three activations and a step of weights fill sixteen
    // registers.
    forward.tileTokens = 3;
    // Lanes are walked twice, so the panel must stay in the first-level cache.
    forward.mostBlocks = 8;
  }
  forward.widen();
  forward.run();
  return success();
}

} // namespace nibble::host
