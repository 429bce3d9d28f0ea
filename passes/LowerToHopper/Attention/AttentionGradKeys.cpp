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
struct KeysLayout {
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
  KeyGrad(Emitter &b, const KeysLayout &layout, ValueRange arguments)
      : b_(b), shape_(layout.shape), layout_(layout), math_(b),
        rowsOfQ_(arguments[0]), rowsOfDy_(arguments[1]), logs_(arguments[2]),
        means_(arguments[3]), keys_(arguments[4]), values_(arguments[5]),
        sequences_(arguments[6]), blocks_(arguments[7]),
        sequenceCount_(arguments[8]), tokens_(arguments[9]),
        ringType_(RingType::get(b.getContext(), layout.stages(),
                                layout.stageBytes(),
                                layout.warpgroups() * kWarps)) {
    unsigned next = 10;
    if (layout.makesKeys)
      dk_ = arguments[next++];
    if (layout.makesValues)
      dv_ = arguments[next++];
  }

  void write() {
    int64_t keysOfBlock = layout_.warpgroups() * kTileRows;
    tile_ = findTile(b_, sequences_, sequenceCount_, b_.block(0), keysOfBlock);
    b_.ifThen(tile_.found, [&] {
      kvHead_ = b_.block(1);
      length_ = b_.subI(tile_.end, tile_.begin);
      firstKey_ = b_.mulI(tile_.tile, keysOfBlock);
      lastKey_ = b_.addI(firstKey_, keysOfBlock - 1);
      // Rows start with the first one that sees a key of the block, one tile at
      // a time.
      firstTile_ = b_.divI(firstKey_, shape_.tokensPerTile());
      Value lastToken = b_.subI(length_, 1);
      if (shape_.window != 0)
        lastToken = b_.minI(lastToken, b_.addI(b_.minI(lastKey_, lastToken),
                                               shape_.window - 1));
      count_ = b_.addI(
          b_.subI(b_.divI(lastToken, shape_.tokensPerTile()), firstTile_), 1);
      ring_ = RingOp::create(b_, ringType_, 2 * layout_.keysBytes());
      b_.ifThen(b_.equal(b_.thread(), 0), [&] {
        RingInitOp::create(b_, ring_);
        park();
      });
      b_.barrier();
      auto roles = RolesOp::create(b_, 24, 240);
      b_.writeRegion(roles.getProducer(), [&] { produce(); });
      b_.writeRegion(roles.getConsumers(), [&] { consume(); });
    });
  }

private:
  // Stores the block's place in shared memory. The consumers read it there when
  // they need it, so it takes no registers beside the sums.
  void park() {
    for (int64_t half : {0, 4})
      b_.store(b_.fromElements(
                   ArrayRef<Value>({kvHead_, length_, firstKey_, lastKey_,
                                    firstTile_, tile_.begin, count_, count_})
                       .slice(half, 4)),
               b_.sharedMemory(layout_.placeOffset() + 4 * half));
  }
  void readPlace() {
    SmallVector<Value> place;
    for (int64_t half : {0, 4}) {
      Value words = b_.load(b_.sharedMemory(layout_.placeOffset() + 4 * half),
                            b_.vectorOf(b_.getI32Type(), 4));
      for (int64_t i = 0; i < 4; ++i)
        place.push_back(b_.extract(words, i));
    }
    kvHead_ = place[0], length_ = place[1], firstKey_ = place[2],
    lastKey_ = place[3], firstTile_ = place[4];
    tile_.begin = place[5];
  }

  int64_t rowsPerTile() const { return shape_.tokensPerTile() * shape_.group; }
  Value tokenOf(Value i) {
    return b_.mulI(b_.addI(firstTile_, i), shape_.tokensPerTile());
  } // in the sequence
  Value useOfQ(Value i) { return b_.mulI(i, 2); }
  Value useOfDy(Value i) { return b_.addI(b_.mulI(i, 2), 1); }

  void copyRows(Value map, Value statistic, Value i, Value use) {
    int64_t bytes =
        shape_.boxes() * kBoxColumns * 2 * rowsPerTile() + kStatisticBox * 4;
    Value slot = RingAcquireOp::create(b_, b_.sharedPointer(), ring_, use,
                                       b_.i32(bytes));
    Value token = b_.addI(tile_.begin, tokenOf(i));
    Value head = b_.mulI(kvHead_, shape_.group);
    for (int64_t box = 0; box < shape_.boxes(); ++box)
      TensorCopyOp::create(b_, map,
                           ValueRange{b_.i32(box * kBoxColumns), head, token},
                           b_.atByte(slot, box * kTileBoxBytes), ring_, use);
    Value cell = b_.andI(cellOf(token), ~int64_t{3});
    TensorCopyOp::create(b_, statistic, ValueRange{cell},
                         b_.atByte(slot, shape_.tileBytes()), ring_, use);
  }

  // The place of the statistics of a batch token's first row.
  Value cellOf(Value token) {
    return b_.mulI(b_.addI(b_.mulI(kvHead_, tokens_), token), shape_.group);
  }

  void produce() {
    b_.loop(b_.i32(0), count_, 1, [&](Value i) {
      copyRows(rowsOfQ_, logs_, i, useOfQ(i));
      copyRows(rowsOfDy_, means_, i, useOfDy(i));
    });
  }

  // The columns of a tile whose gradient the block computes.
  Value partOf(Value slot) {
    return layout_.parts() == 1
               ? slot
               : b_.atByte(slot, b_.mulI(b_.block(2), layout_.partColumns() /
                                                          kBoxColumns *
                                                          kTileBoxBytes));
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b_, b_.sharedPointer(), ring_, use);
  }
  // Each warp does it for itself, after its lanes have read statistics by
  // ordinary loads.
  void release(Value use) {
    b_.syncWarp();
    b_.ifThen(b_.equal(b_.lane(), 0),
              [&] { RingReleaseOp::create(b_, ring_, use); });
  }

  Value keyPointer(Value pointer, Value key, Value column) {
    Value row = b_.place(b_.addI(tile_.begin, key), shape_.kvHeads, kvHead_);
    return b_.at(pointer, b_.getBF16Type(),
                 b_.addI(b_.mulI(row, shape_.size), b_.wide(column)));
  }

  // The warpgroup's tile of keys or of values.
  Value tileAt(int64_t offset, Value group) {
    return b_.atByte(b_.sharedMemory(offset),
                     b_.mulI(group, shape_.tileBytes()));
  }

  void storeKeys(Value source, int64_t offset) {
    Value place = tileAt(offset, group_);
    fillTile(b_, place, shape_.size, inGroup_, [&](Value inTile) {
      Value key = b_.addI(groupKey_, inTile);
      return std::pair(keyPointer(source, key, b_.i32(0)),
                       b_.less(key, length_));
    });
  }

  // Zeroes the rows of a tile that belong to no token of the sequence, and
  // their statistics.
  void blank(Value qSlot, Value dySlot, Value valid, Value shift) {
    b_.ifThen(b_.less(valid, kTileRows), [&] {
      Value consumer = b_.subI(threadAnew(), kWarpgroup);
      int64_t threads = kWarpgroup * layout_.warpgroups();
      for (Value slot : {qSlot, dySlot}) {
        zeroRows(b_, slot, shape_.boxes(), valid, b_.i32(kTileRows), consumer,
                 threads);
        b_.ifThen(b_.both(b_.less(consumer, kTileRows),
                          b_.lessEqual(valid, consumer)),
                  [&] {
                    b_.store(b_.f32(0),
                             statisticAt(slot, b_.addI(consumer, shift)));
                  });
      }
      b_.fenceAsync();
      b_.barrier(kConsumerBarrier, threads);
    });
  }
  Value statisticAt(Value slot, Value row) {
    return b_.at(b_.atByte(slot, shape_.tileBytes()), b_.getF32Type(), row);
  }
  // The statistics of the thread's two columns among columns 8 j to 8 j + 7.
  Value statistics(Value slot, int64_t j, Value shift) {
    Value first = statisticAt(slot, b_.addI(b_.addI(pair_, shift), 8 * j));
    return b_.fromElements({b_.load(first, b_.getF32Type()),
                            b_.load(b_.atByte(first, 4), b_.getF32Type())});
  }

  Value masked(Value scores, Value token, Value valid) {
    Value cut = b_.either(b_.less(token, lastKey_), b_.less(valid, kTileRows));
    if (shape_.window != 0) {
      Value lastToken = b_.addI(token, shape_.tokensPerTile() - 1);
      cut = b_.either(
          cut, b_.lessEqual(b_.addI(firstKey_, shape_.window), lastToken));
    }
    return b_.ifValue(
        cut,
        [&] {
          Value lowest[2], next[2];
          auto key = keysOf(threadAnew());
          for (int64_t half = 0; half < 2; ++half) {
            Value from =
                b_.mulI(b_.subI(key[half], token), shape_.group); // signed
            Value to = valid;
            if (shape_.window != 0)
              to = arith::MinSIOp::create(
                  b_, valid, b_.addI(from, shape_.window * shape_.group));
            lowest[half] = b_.subI(from, pair_);
            next[half] = b_.subI(to, pair_);
          }
          return maskColumns(b_, scores, lowest, next);
        },
        [&] { return scores; });
  }

  void consume() {
    Value consumer = b_.subI(b_.thread(), kWarpgroup);
    inGroup_ = b_.remI(consumer, kWarpgroup);
    group_ = b_.uniform(b_.divI(consumer, kWarpgroup));
    pair_ = b_.mulI(b_.remI(inGroup_, 4), 2);
    groupKey_ = b_.addI(firstKey_, b_.mulI(group_, kTileRows));
    storeKeys(keys_, 0);
    storeKeys(values_, layout_.keysBytes());
    b_.fenceAsync();
    b_.barrier(kConsumerBarrier, kWarpgroup * layout_.warpgroups());
    SmallVector<Value> zeros(layout_.makesKeys + layout_.makesValues,
                             b_.zeros(layout_.partColumns() / 2));
    // At least one, in a way that the compiler sees.
    SmallVector<Value> sums =
        b_.loop(b_.i32(0), b_.maxI(count_, b_.i32(1)), b_.i32(1), zeros,
                [&](Value i, ValueRange carried) { return step(i, carried); });
    if (layout_.makesKeys)
      store(sums.front(), dk_, shape_.scale);
    if (layout_.makesValues)
      store(sums.back(), dv_, 1);
  }

  SmallVector<Value> step(Value i, ValueRange carried) {
    int64_t steps = shape_.size / 16;
    readPlace();
    Value group =
        b_.uniform(b_.divI(b_.subI(threadAnew(), kWarpgroup), kWarpgroup));
    TileMath::Operand keyTile =
        math_.operand(tileAt(0, group), TileMath::kAlong);
    TileMath::Operand valueTile =
        math_.operand(tileAt(layout_.keysBytes(), group), TileMath::kAlong);
    Value token = tokenOf(i);
    Value valid = b_.mulI(
        b_.minI(b_.i32(shape_.tokensPerTile()), b_.subI(length_, token)),
        shape_.group);
    Value qSlot = waitFor(useOfQ(i));
    Value dySlot = waitFor(useOfDy(i));
    Value shift = b_.andI(cellOf(b_.addI(tile_.begin, token)), 3);
    blank(qSlot, dySlot, valid, shift);
    Value scores = math_.fence(b_.zeros(kTileRows / 2))[0];
    scores = math_.multiply(keyTile, math_.operand(qSlot, TileMath::kAlong),
                            scores, steps);
    math_.commit();
    scores = masked(math_.wait(0, scores), token, valid);
    SmallVector<Value> weights(kTileRows / 2);
    Value inBits = b_.f32(shape_.scale * std::numbers::log2e);
    for (int64_t j = 0; j < kTileRows / 8; ++j) {
      Value log = statistics(qSlot, j, shift);
      for (int64_t e = 0; e < 4; ++e)
        weights[4 * j + e] = exp2(b_, b_.fma(b_.extract(scores, 4 * j + e),
                                             inBits, b_.extract(log, e % 2)));
    }
    SmallVector<Value> fragments = math_.fragments(weights);
    // The products follow the scores, because registers hold only one of the
    // two beside the sums.
    SmallVector<Value> sums(carried);
    if (layout_.makesKeys)
      sums.push_back(b_.zeros(kTileRows / 2));
    sums = math_.fence(ValueRange(sums));
    Value products = layout_.makesKeys ? sums.pop_back_val() : Value();
    if (layout_.makesKeys)
      products = math_.multiply(
          valueTile, math_.operand(dySlot, TileMath::kAlong), products, steps);
    if (layout_.makesValues)
      sums.back() = math_.multiply(
          fragments, math_.operand(partOf(dySlot), TileMath::kAcross),
          sums.back(), kTileRows / 16);
    math_.commit();
    if (layout_.makesKeys) {
      sums.push_back(products);
      sums = math_.wait(0, ValueRange(sums));
      products = sums.pop_back_val();
      SmallVector<Value> gradients =
          math_.fragments(gradientsOfScores(weights, products, dySlot, shift));
      sums.front() = math_.fence(sums.front())[0];
      sums.front() = math_.multiply(
          gradients, math_.operand(partOf(qSlot), TileMath::kAcross),
          sums.front(), kTileRows / 16);
      math_.commit();
    }
    sums = math_.wait(0, ValueRange(sums));
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
        results[i] = b_.mul(weights[i], b_.sub(b_.extract(products, i),
                                               b_.extract(mean, i % 2)));
    }
    return results;
  }

  // Reads the thread's number when it is needed, so that values computed from
  // it take no registers in the loop.
  Value threadAnew() {
    return emitValue(b_, "mov.u32 $0, %tid.x;", b_.getI32Type(), {},
                     /*readsMemory=*/true);
  }
  // The keys of a thread's two rows, in the sequence.
  std::array<Value, 2> keysOf(Value thread) {
    Value consumer = b_.subI(thread, kWarpgroup);
    Value row = b_.divI(b_.remI(consumer, 32), 4);
    Value first =
        b_.addI(b_.addI(firstKey_, b_.mulI(b_.divI(consumer, 32), 16)), row);
    return {first, b_.addI(first, 8)};
  }

  void store(Value sums, Value pointer, double scale) {
    readPlace();
    auto key = keysOf(threadAnew());
    for (int64_t half = 0; half < 2; ++half)
      b_.ifThen(b_.less(key[half], length_), [&] {
        for (int64_t j = 0; j < layout_.partColumns() / 8; ++j) {
          auto scaled = [&](int64_t e) {
            return b_.mul(b_.extract(sums, 4 * j + 2 * half + e),
                          b_.f32(scale));
          };
          Value column = b_.addI(
              b_.addI(b_.mulI(b_.block(2), layout_.partColumns()), pair_),
              8 * j);
          auto write = [&] {
            b_.store(b_.packBf16(scaled(0), scaled(1)),
                     keyPointer(pointer, key[half], column));
          };
          if (shape_.size % layout_.partColumns() == 0)
            write();
          else
            b_.ifThen(b_.less(column, shape_.size), write);
        }
      });
  }

  Emitter &b_;
  const AttentionShape &shape_;
  const KeysLayout &layout_;
  TileMath math_;
  Value rowsOfQ_, rowsOfDy_, logs_, means_, keys_, values_, sequences_, blocks_,
      sequenceCount_, tokens_, dk_, dv_;
  RingType ringType_;
  Value ring_;
  BatchTile tile_;
  Value kvHead_, length_;        // length: tokens of the sequence
  Value firstKey_, lastKey_;     // of the block, in the sequence
  Value firstTile_, count_;      // of rows
  Value inGroup_, group_, pair_; // as in QueryBlock
  Value groupKey_;               // first key of the warpgroup
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
  KeysLayout layout{shape, static_cast<bool>(dk), static_cast<bool>(dv)};
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
