// The gradients of keys and values: dv = sum over queries of p dy, dk = scale *
// sum of ds q. A warpgroup owns a tile of keys and walks over rows of queries.
// Products are computed transposed (keys by rows), so that p and ds are in
// registers as the next products need them.
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToHopper/Attention/AttentionGrad.h"

#include <numbers>

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kWarps = kWarpgroup / 32;
// Bytes of a stage. They suffice, and keep the stage a multiple of 1024 bytes.
constexpr int64_t kStatisticBytes = 1024;
// A copy begins at a multiple of 16 bytes, so up to 3 float32 precede the 64
// requested ones.
constexpr int64_t kStatisticBox = kTileRows + 4;

// Shared memory: for each warpgroup a tile of keys, then one of values. The
// ring follows, with rows of q and their logs, and rows of dy and their means,
// in turn.
struct Layout {
  const AttentionShape &shape;
  bool makesKeys, makesValues;
  int64_t warpgroups() const { return shape.size > 128 ? 1 : 2; }
  // The same for keys and for values.
  int64_t keysBytes() const { return warpgroups() * shape.tileBytes(); }
  int64_t stageBytes() const { return shape.tileBytes() + kStatisticBytes; }
  int64_t stages() const {
    return std::clamp<int64_t>((224 * 1024 - 2 * keysBytes()) / stageBytes(), 2,
                               6);
  }
  // Offset of the block's place, which is eight i32.
  int64_t placeOffset() const {
    return 2 * keysBytes() + stages() * (stageBytes() + 16);
  }
  int64_t bytes() const { return placeOffset() + 32; }
  // Columns of a head whose gradient a block computes. The extra products for
  // the keys leave registers for fewer sums.
  int64_t partColumns() const {
    return makesKeys && shape.size > 128 ? kBoxColumns : shape.partColumns();
  }
  int64_t parts() const {
    return (shape.size + partColumns() - 1) / partColumns();
  }
};

class KeyGrad {
public:
  KeyGrad(Emitter &b, const Layout &layout, ValueRange arguments)
      : b(b), shape(layout.shape), layout(layout), math(b),
        rowsOfQ(arguments[0]), rowsOfDy(arguments[1]), logs(arguments[2]),
        means(arguments[3]), keys(arguments[4]), values(arguments[5]),
        sequences(arguments[6]), blocks(arguments[7]),
        sequenceCount(arguments[8]), tokens(arguments[9]),
        ringType(RingType::get(b.getContext(), layout.stages(),
                               layout.stageBytes(),
                               layout.warpgroups() * kWarps)) {
    unsigned next = 10;
    if (layout.makesKeys)
      dk = arguments[next++];
    if (layout.makesValues)
      dv = arguments[next++];
  }

  void write() {
    int64_t keysOfBlock = layout.warpgroups() * kTileRows;
    tile = findTile(b, sequences, sequenceCount, b.block(0), keysOfBlock);
    b.ifThen(tile.found, [&] {
      kvHead = b.block(1);
      length = b.subI(tile.end, tile.begin);
      firstKey = b.mulI(tile.tile, keysOfBlock);
      lastKey = b.addI(firstKey, keysOfBlock - 1);
      // Rows start with the first one that sees a key of the block, one tile at
      // a time.
      firstTile = b.divI(firstKey, shape.tokensPerTile());
      Value lastToken = b.subI(length, 1);
      if (shape.window != 0)
        lastToken = b.minI(
            lastToken, b.addI(b.minI(lastKey, lastToken), shape.window - 1));
      count = b.addI(
          b.subI(b.divI(lastToken, shape.tokensPerTile()), firstTile), 1);
      ring = RingOp::create(b, ringType, 2 * layout.keysBytes());
      b.ifThen(b.equal(b.thread(), 0), [&] {
        RingInitOp::create(b, ring);
        park();
      });
      b.barrier();
      auto roles = RolesOp::create(b, 24, 240);
      b.writeRegion(roles.getProducer(), [&] { produce(); });
      b.writeRegion(roles.getConsumers(), [&] { consume(); });
    });
  }

private:
  // Stores the block's place in shared memory. The consumers read it there when
  // they need it, so it takes no registers beside the sums.
  void park() {
    for (int64_t half : {0, 4})
      b.store(
          b.fromElements(ArrayRef<Value>({kvHead, length, firstKey, lastKey,
                                          firstTile, tile.begin, count, count})
                             .slice(half, 4)),
          b.sharedMemory(layout.placeOffset() + 4 * half));
  }
  void readPlace() {
    SmallVector<Value> place;
    for (int64_t half : {0, 4}) {
      Value words = b.load(b.sharedMemory(layout.placeOffset() + 4 * half),
                           b.vectorOf(b.getI32Type(), 4));
      for (int64_t i = 0; i < 4; ++i)
        place.push_back(b.extract(words, i));
    }
    kvHead = place[0], length = place[1], firstKey = place[2],
    lastKey = place[3], firstTile = place[4];
    tile.begin = place[5];
  }

  int64_t rowsPerTile() const { return shape.tokensPerTile() * shape.group; }
  Value tokenOf(Value i) {
    return b.mulI(b.addI(firstTile, i), shape.tokensPerTile());
  } // in the sequence
  Value useOfQ(Value i) { return b.mulI(i, 2); }
  Value useOfDy(Value i) { return b.addI(b.mulI(i, 2), 1); }

  void copyRows(Value map, Value statistic, Value i, Value use) {
    int64_t bytes =
        shape.boxes() * kBoxColumns * 2 * rowsPerTile() + kStatisticBox * 4;
    Value slot =
        RingAcquireOp::create(b, b.sharedPointer(), ring, use, b.i32(bytes));
    Value token = b.addI(tile.begin, tokenOf(i)),
          head = b.mulI(kvHead, shape.group);
    for (int64_t box = 0; box < shape.boxes(); ++box)
      TensorCopyOp::create(b, map,
                           ValueRange{b.i32(box * kBoxColumns), head, token},
                           b.atByte(slot, box * kBoxBytes), ring, use);
    Value cell = b.andI(cellOf(token), ~int64_t{3});
    TensorCopyOp::create(b, statistic, ValueRange{cell},
                         b.atByte(slot, shape.tileBytes()), ring, use);
  }

  // The place of the statistics of a batch token's first row.
  Value cellOf(Value token) {
    return b.mulI(b.addI(b.mulI(kvHead, tokens), token), shape.group);
  }

  void produce() {
    b.loop(b.i32(0), count, 1, [&](Value i) {
      copyRows(rowsOfQ, logs, i, useOfQ(i));
      copyRows(rowsOfDy, means, i, useOfDy(i));
    });
  }

  // The columns of a tile whose gradient the block computes.
  Value partOf(Value slot) {
    return layout.parts() == 1
               ? slot
               : b.atByte(slot,
                          b.mulI(b.block(2), layout.partColumns() /
                                                 kBoxColumns * kBoxBytes));
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b, b.sharedPointer(), ring, use);
  }
  // Each warp does it for itself, after its lanes have read statistics by
  // ordinary loads.
  void release(Value use) {
    b.syncWarp();
    b.ifThen(b.equal(b.lane(), 0),
             [&] { RingReleaseOp::create(b, ring, use); });
  }

  Value keyPointer(Value pointer, Value key, Value column) {
    Value row = b.place(b.addI(tile.begin, key), shape.kvHeads, kvHead);
    return b.at(pointer, b.getBF16Type(),
                b.addI(b.mulI(row, shape.size), b.wide(column)));
  }

  // The warpgroup's tile of keys or of values.
  Value tileAt(int64_t offset, Value group) {
    return b.atByte(b.sharedMemory(offset), b.mulI(group, shape.tileBytes()));
  }

  void storeKeys(Value source, int64_t offset) {
    Value place = tileAt(offset, group);
    fillTile(b, place, shape.size, inGroup, [&](Value inTile) {
      Value key = b.addI(groupKey, inTile);
      return std::pair(keyPointer(source, key, b.i32(0)), b.less(key, length));
    });
  }

  // Zeroes the rows of a tile that belong to no token of the sequence, and
  // their statistics.
  void blank(Value qSlot, Value dySlot, Value valid, Value shift) {
    b.ifThen(b.less(valid, kTileRows), [&] {
      Value consumer = b.subI(threadAnew(), kWarpgroup);
      int64_t threads = kWarpgroup * layout.warpgroups();
      for (Value slot : {qSlot, dySlot}) {
        zeroRows(b, slot, shape.boxes(), valid, b.i32(kTileRows), consumer,
                 threads);
        b.ifThen(
            b.both(b.less(consumer, kTileRows), b.lessEqual(valid, consumer)),
            [&] {
              b.store(b.f32(0), statisticAt(slot, b.addI(consumer, shift)));
            });
      }
      b.fenceAsync();
      b.barrier(kConsumerBarrier, threads);
    });
  }
  Value statisticAt(Value slot, Value row) {
    return b.at(b.atByte(slot, shape.tileBytes()), b.getF32Type(), row);
  }
  // The statistics of the thread's two columns among columns 8 j to 8 j + 7.
  Value statistics(Value slot, int64_t j, Value shift) {
    Value first = statisticAt(slot, b.addI(b.addI(pair, shift), 8 * j));
    return b.fromElements({b.load(first, b.getF32Type()),
                           b.load(b.atByte(first, 4), b.getF32Type())});
  }

  Value masked(Value scores, Value token, Value valid) {
    Value cut = b.either(b.less(token, lastKey), b.less(valid, kTileRows));
    if (shape.window != 0) {
      Value lastToken = b.addI(token, shape.tokensPerTile() - 1);
      cut =
          b.either(cut, b.lessEqual(b.addI(firstKey, shape.window), lastToken));
    }
    return b.ifValue(
        cut,
        [&] {
          Value lowest[2], next[2];
          auto key = keysOf(threadAnew());
          for (int64_t half = 0; half < 2; ++half) {
            Value from =
                b.mulI(b.subI(key[half], token), shape.group); // signed
            Value to = valid;
            if (shape.window != 0)
              to = arith::MinSIOp::create(
                  b, valid, b.addI(from, shape.window * shape.group));
            lowest[half] = b.subI(from, pair);
            next[half] = b.subI(to, pair);
          }
          return maskColumns(b, scores, lowest, next);
        },
        [&] { return scores; });
  }

  void consume() {
    Value consumer = b.subI(b.thread(), kWarpgroup);
    inGroup = b.remI(consumer, kWarpgroup);
    group = b.uniform(b.divI(consumer, kWarpgroup));
    pair = b.mulI(b.remI(inGroup, 4), 2);
    groupKey = b.addI(firstKey, b.mulI(group, kTileRows));
    storeKeys(keys, 0);
    storeKeys(values, layout.keysBytes());
    b.fenceAsync();
    b.barrier(kConsumerBarrier, kWarpgroup * layout.warpgroups());
    SmallVector<Value> zeros(layout.makesKeys + layout.makesValues,
                             b.zeros(layout.partColumns() / 2));
    // At least one, in a way that the compiler sees.
    SmallVector<Value> sums =
        b.loop(b.i32(0), b.maxI(count, b.i32(1)), b.i32(1), zeros,
               [&](Value i, ValueRange carried) { return step(i, carried); });
    if (layout.makesKeys)
      store(sums.front(), dk, shape.scale);
    if (layout.makesValues)
      store(sums.back(), dv, 1);
  }

  SmallVector<Value> step(Value i, ValueRange carried) {
    int64_t steps = shape.size / 16;
    readPlace();
    Value group =
        b.uniform(b.divI(b.subI(threadAnew(), kWarpgroup), kWarpgroup));
    TileMath::Operand keyTile =
        math.operand(tileAt(0, group), TileMath::kAlong);
    TileMath::Operand valueTile =
        math.operand(tileAt(layout.keysBytes(), group), TileMath::kAlong);
    Value token = tokenOf(i);
    Value valid =
        b.mulI(b.minI(b.i32(shape.tokensPerTile()), b.subI(length, token)),
               shape.group);
    Value qSlot = waitFor(useOfQ(i)), dySlot = waitFor(useOfDy(i));
    Value shift = b.andI(cellOf(b.addI(tile.begin, token)), 3);
    blank(qSlot, dySlot, valid, shift);
    Value scores = math.fence(b.zeros(kTileRows / 2))[0];
    scores = math.multiply(keyTile, math.operand(qSlot, TileMath::kAlong),
                           scores, steps);
    math.commit();
    scores = masked(math.wait(0, scores), token, valid);
    SmallVector<Value> weights(kTileRows / 2);
    Value inBits = b.f32(shape.scale * std::numbers::log2e);
    for (int64_t j = 0; j < kTileRows / 8; ++j) {
      Value log = statistics(qSlot, j, shift);
      for (int64_t e = 0; e < 4; ++e)
        weights[4 * j + e] = exp2(b, b.fma(b.extract(scores, 4 * j + e), inBits,
                                           b.extract(log, e % 2)));
    }
    SmallVector<Value> fragments = math.fragments(weights);
    // The products follow the scores, because registers hold only one of the
    // two beside the sums.
    SmallVector<Value> sums(carried);
    if (layout.makesKeys)
      sums.push_back(b.zeros(kTileRows / 2));
    sums = math.fence(ValueRange(sums));
    Value products = layout.makesKeys ? sums.pop_back_val() : Value();
    if (layout.makesKeys)
      products = math.multiply(
          valueTile, math.operand(dySlot, TileMath::kAlong), products, steps);
    if (layout.makesValues)
      sums.back() = math.multiply(
          fragments, math.operand(partOf(dySlot), TileMath::kAcross),
          sums.back(), kTileRows / 16);
    math.commit();
    if (layout.makesKeys) {
      sums.push_back(products);
      sums = math.wait(0, ValueRange(sums));
      products = sums.pop_back_val();
      SmallVector<Value> gradients =
          math.fragments(gradientsOfScores(weights, products, dySlot, shift));
      sums.front() = math.fence(sums.front())[0];
      sums.front() = math.multiply(
          gradients, math.operand(partOf(qSlot), TileMath::kAcross),
          sums.front(), kTileRows / 16);
      math.commit();
    }
    sums = math.wait(0, ValueRange(sums));
    release(useOfQ(i));
    release(useOfDy(i));
    return sums;
  }

  // ds / scale = p (dy v - d).
  SmallVector<Value> gradientsOfScores(ArrayRef<Value> weights, Value products,
                                       Value dySlot, Value shift) {
    SmallVector<Value> results(kTileRows / 2);
    for (int64_t j = 0; j < kTileRows / 8; ++j) {
      Value mean = statistics(dySlot, j, shift);
      for (int64_t i = 4 * j; i < 4 * j + 4; ++i)
        results[i] = b.mul(
            weights[i], b.sub(b.extract(products, i), b.extract(mean, i % 2)));
    }
    return results;
  }

  // Reads the thread's number when it is needed, so that values computed from
  // it take no registers in the loop.
  Value threadAnew() {
    return emitValue(b, "mov.u32 $0, %tid.x;", b.getI32Type(), {},
                     /*readsMemory=*/true);
  }
  // The keys of a thread's two rows, in the sequence.
  std::array<Value, 2> keysOf(Value thread) {
    Value consumer = b.subI(thread, kWarpgroup),
          row = b.divI(b.remI(consumer, 32), 4);
    Value first =
        b.addI(b.addI(firstKey, b.mulI(b.divI(consumer, 32), 16)), row);
    return {first, b.addI(first, 8)};
  }

  void store(Value sums, Value pointer, double scale) {
    readPlace();
    auto key = keysOf(threadAnew());
    for (int64_t half = 0; half < 2; ++half)
      b.ifThen(b.less(key[half], length), [&] {
        for (int64_t j = 0; j < layout.partColumns() / 8; ++j) {
          auto scaled = [&](int64_t e) {
            return b.mul(b.extract(sums, 4 * j + 2 * half + e), b.f32(scale));
          };
          Value column = b.addI(
              b.addI(b.mulI(b.block(2), layout.partColumns()), pair), 8 * j);
          auto write = [&] {
            b.store(b.packBf16(scaled(0), scaled(1)),
                    keyPointer(pointer, key[half], column));
          };
          if (shape.size % layout.partColumns() == 0)
            write();
          else
            b.ifThen(b.less(column, shape.size), write);
        }
      });
  }

  Emitter &b;
  const AttentionShape &shape;
  const Layout &layout;
  TileMath math;
  Value rowsOfQ, rowsOfDy, logs, means, keys, values, sequences, blocks,
      sequenceCount, tokens, dk, dv;
  RingType ringType;
  Value ring;
  BatchTile tile;
  Value kvHead, length;       // length: tokens of the sequence
  Value firstKey, lastKey;    // of the block, in the sequence
  Value firstTile, count;     // of rows
  Value inGroup, group, pair; // as in QueryBlock
  Value groupKey;             // first key of the warpgroup
};

// A tensor map for boxes of 64 columns of a tile's rows: the heads of a group
// for some tokens.
Value mapOfHeads(Kernel &k, const AttentionShape &shape, Value buffer,
                 Value tokens) {
  return TensorMapOp::create(
      k.host, k.loc(), TensorMapType::get(k.host.getContext()), buffer,
      ValueRange{k.index(shape.size), k.index(shape.heads), tokens},
      ValueRange{k.index(2 * shape.size),
                 k.index(2 * shape.size * shape.heads)},
      k.host.getDenseI64ArrayAttr(
          {kBoxColumns, shape.group, shape.tokensPerTile()}),
      k.host.getI64IntegerAttr(128));
}

// A tensor map for the 64 statistics of a tile's rows, from the multiple of 16
// bytes before them.
Value mapOfStatistics(Kernel &k, const AttentionShape &shape, Value buffer,
                      Value tokens) {
  return TensorMapOp::create(
      k.host, k.loc(), TensorMapType::get(k.host.getContext()), buffer,
      ValueRange{k.mul(tokens, k.index(shape.heads))}, ValueRange(),
      k.host.getDenseI64ArrayAttr({kStatisticBox}),
      k.host.getI64IntegerAttr(0));
}

} // namespace

void launchKeyGrad(Kernel &k, const AttentionShape &shape,
                   const AttentionGradArguments &arguments, Value dk,
                   Value dv) {
  Layout layout{shape, static_cast<bool>(dk), static_cast<bool>(dv)};
  Value blocks = tilesOfBatch(k, arguments.tokens, arguments.sequences,
                              layout.warpgroups() * kTileRows);
  LaunchSpec launch;
  launch.key = std::string("attention_grad_") + (dk ? "keys_" : "") +
               (dv ? "values_" : "") + shape.key();
  launch.threads = kWarpgroup * (1 + layout.warpgroups());
  launch.sharedBytes = layout.bytes();
  launch.grid = {blocks, k.index(shape.kvHeads), k.index(layout.parts())};
  launch.arguments = {
      mapOfHeads(k, shape, arguments.q, arguments.tokens),
      mapOfHeads(k, shape, arguments.dy, arguments.tokens),
      mapOfStatistics(k, shape, arguments.logs, arguments.tokens),
      mapOfStatistics(k, shape, arguments.means, arguments.tokens),
      arguments.keys,
      arguments.values,
      arguments.sequences,
      blocks,
      arguments.sequenceCount,
      arguments.tokens};
  for (Value result : {dk, dv})
    if (result)
      launch.arguments.push_back(result);
  launch.report =
      reportOf(k, layout.warpgroups() * kTileRows, shape.size, layout.stages());
  k.launch(launch, [&](Emitter &e, ValueRange values) {
    KeyGrad(e, layout, values).write();
  });
}

} // namespace nibble::hopper
