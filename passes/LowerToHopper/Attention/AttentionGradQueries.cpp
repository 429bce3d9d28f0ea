// The gradient of the queries: dq = scale * sum over keys of ds k, with ds = p
// (dy v - d).
#include "passes/LowerToHopper/Attention/AttentionGrad.h"
#include "passes/LowerToHopper/Attention/AttentionQueries.h"

#include <numbers>

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kWarpgroups = 2;

// Shared memory: for each warpgroup the rows of q, then of dy; then the ring of
// keys and values.
struct QueriesLayout {
  const AttentionShape &shape;
  // The same for q and for dy.
  int64_t rowsBytes() const { return kWarpgroups * shape.tileBytes(); }
  int64_t stages() const {
    return std::clamp<int64_t>(
        (224 * 1024 - 2 * rowsBytes()) / shape.tileBytes(), 3, 6);
  }
  int64_t bytes() const {
    return 2 * rowsBytes() + stages() * (shape.tileBytes() + 16);
  }
};

class QueryGrad {
public:
  QueryGrad(Emitter &b, const AttentionShape &shape, ValueRange arguments)
      : b_(b), shape_(shape), layout_{shape}, math_(b),
        at_(b, shape, kWarpgroups, arguments[6], /*fromBatch=*/true),
        keys_(arguments[0]), values_(arguments[1]), q_(arguments[2]),
        dy_(arguments[3]), logs_(arguments[4]), means_(arguments[5]),
        sequences_(arguments[7]), dq_(arguments[8]), blocks_(arguments[9]),
        sequenceCount_(arguments[10]), tokens_(arguments[11]),
        ringType_(RingType::get(b.getContext(), layout_.stages(),
                                shape.tileBytes(),
                                kWarpgroups * kWarpgroup / 32)) {}

  void write() {
    Value number = b_.subI(b_.subI(blocks_, b_.block(0)), 1);
    BatchTile tile =
        findTile(b_, sequences_, sequenceCount_, number, at_.tokens());
    b_.ifThen(tile.found, [&] {
      at_.locate(tile, b_.block(1));
      ring_ = RingOp::create(b_, ringType_, 2 * layout_.rowsBytes());
      b_.ifThen(b_.equal(b_.thread(), 0),
                [&] { RingInitOp::create(b_, ring_); });
      b_.barrier();
      bool tight = shape_.size > 128;
      auto roles = RolesOp::create(b_, tight ? 24 : 40, tight ? 240 : 232);
      b_.writeRegion(roles.getProducer(), [&] { produce(); });
      b_.writeRegion(roles.getConsumers(), [&] { consume(); });
    });
  }

private:
  void copyTile(Value map, Value row, Value use) {
    Value slot = RingAcquireOp::create(b_, b_.sharedPointer(), ring_, use,
                                       b_.i32(shape_.tileBytes()));
    for (int64_t box = 0; box < shape_.boxes(); ++box) {
      Value column =
          b_.addI(b_.mulI(at_.kvHead, shape_.size), box * kBoxColumns);
      TensorCopyOp::create(b_, map, ValueRange{column, row},
                           b_.atByte(slot, box * kTileBoxBytes), ring_, use);
    }
  }
  Value useOfKeys(Value i) { return b_.mulI(i, 2); }
  Value useOfValues(Value i) { return b_.addI(b_.mulI(i, 2), 1); }

  void produce() {
    b_.loop(b_.i32(0), at_.blocks, 1, [&](Value i) {
      Value row = b_.addI(b_.subI(at_.tile.begin, at_.base), at_.startOf(i));
      copyTile(keys_, row, useOfKeys(i));
      copyTile(values_, row, useOfValues(i));
    });
  }

  // The columns of a key tile that the block multiplies for its gradient.
  Value partOf(Value slot) {
    return shape_.parts() == 1
               ? slot
               : b_.atByte(slot, b_.mulI(b_.block(2), shape_.partColumns() /
                                                          kBoxColumns *
                                                          kTileBoxBytes));
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b_, b_.sharedPointer(), ring_, use);
  }
  // Every warp does it for itself, as in the matrix kernel.
  void release(Value use) {
    b_.ifThen(b_.equal(b_.lane(), 0),
              [&] { RingReleaseOp::create(b_, ring_, use); });
  }

  Value statistic(Value pointer, const QueryBlock::Row &row) {
    Value cell = b_.place(b_.place(at_.kvHead, tokens_, row.token),
                          shape_.group, b_.remI(row.head, shape_.group));
    return b_.load(b_.at(pointer, b_.getF32Type(), cell), b_.getF32Type());
  }

  void consume() {
    at_.beginConsumer();
    TileMath::Operand qTile =
        math_.operand(at_.storeRows(q_, 0), TileMath::kAlong);
    TileMath::Operand dyTile = math_.operand(
        at_.storeRows(dy_, layout_.rowsBytes()), TileMath::kAlong);
    b_.fenceAsync();
    b_.barrier(kConsumerBarrier, kWarpgroup * kWarpgroups);
    Value log[2], mean[2];
    for (int64_t half = 0; half < 2; ++half) {
      log[half] = statistic(logs_, at_.rows[half]);
      mean[half] = statistic(means_, at_.rows[half]);
    }
    int64_t steps = shape_.size / 16;
    Value inBits = b_.f32(shape_.scale * std::numbers::log2e);
    Value zeros = b_.zeros(shape_.partColumns() / 2);
    // At least one, in a way that the compiler sees.
    Value count = b_.maxI(at_.blocks, b_.i32(1));
    Value sums = b_.loop(
        b_.i32(0), count, b_.i32(1), {zeros},
        [&](Value i, ValueRange carried) -> SmallVector<Value> {
          Value keySlot = waitFor(useOfKeys(i));
          Value valueSlot = waitFor(useOfValues(i));
          at_.blank({keySlot, valueSlot}, i);
          auto multiply = [&](TileMath::Operand rows, Value slot, Value sums) {
            sums = math_.multiply(rows, math_.operand(slot, TileMath::kAlong),
                                  sums, steps);
            math_.commit();
            return sums;
          };
          // Both products at once, or one after the other when registers hold
          // only one beside the sums.
          bool both = shape_.size <= 128;
          SmallVector<Value> zeros(both ? 2 : 1, b_.zeros(kTileRows / 2));
          zeros = math_.fence(ValueRange(zeros));
          Value scores = multiply(qTile, keySlot, zeros[0]);
          Value products;
          if (both)
            products = multiply(dyTile, valueSlot, zeros[1]);
          // The products of the previous block run until here, if the ring can
          // spare the slot of its keys that long.
          Value before = carried[0];
          if (both) {
            before = math_.wait(2, before);
            b_.ifThen(b_.less(b_.i32(0), i),
                      [&] { release(useOfKeys(b_.subI(i, 1))); });
          }
          scores = at_.masked(math_.wait(both ? 1 : 0, scores), i);
          SmallVector<Value> weights;
          for (int64_t j = 0; j < kTileRows / 2; ++j)
            weights.push_back(exp2(
                b_, b_.fma(b_.extract(scores, j), inBits, log[j / 2 % 2])));
          if (!both)
            products = multiply(dyTile, valueSlot,
                                math_.fence(b_.zeros(kTileRows / 2))[0]);
          products = math_.wait(0, products);
          release(useOfValues(i));
          for (int64_t j = 0; j < kTileRows / 2; ++j)
            weights[j] = b_.mul(
                weights[j], b_.sub(b_.extract(products, j), mean[j / 2 % 2]));
          SmallVector<Value> fragments = math_.fragments(weights);
          Value sums = math_.fence(before)[0];
          sums = math_.multiply(
              fragments, math_.operand(partOf(keySlot), TileMath::kAcross),
              sums, kTileRows / 16);
          math_.commit();
          if (!both) {
            sums = math_.wait(0, sums);
            release(useOfKeys(i));
          }
          return {sums};
        })[0];
    sums = math_.wait(0, sums);
    for (int64_t half = 0; half < 2; ++half)
      b_.ifThen(at_.rows[half].there, [&] {
        for (int64_t j = 0; j < shape_.partColumns() / 8; ++j) {
          auto scaled = [&](int64_t e) {
            return b_.mul(b_.extract(sums, 4 * j + 2 * half + e),
                          b_.f32(shape_.scale));
          };
          Value column = b_.addI(
              b_.addI(b_.mulI(b_.block(2), shape_.partColumns()), at_.pair),
              8 * j);
          auto write = [&] {
            b_.store(b_.packBf16(scaled(0), scaled(1)),
                     at_.rowPointer(dq_, at_.rows[half], column));
          };
          if (shape_.size % shape_.partColumns() == 0)
            write();
          else
            b_.ifThen(b_.less(column, shape_.size), write);
        }
      });
  }

  Emitter &b_;
  const AttentionShape &shape_;
  QueriesLayout layout_;
  TileMath math_;
  QueryBlock at_;
  Value keys_, values_, q_, dy_, logs_, means_, sequences_, dq_, blocks_,
      sequenceCount_, tokens_;
  RingType ringType_;
  Value ring_;
};

} // namespace

void launchQueryGrad(Kernel &k, const AttentionShape &shape,
                     const AttentionGradArguments &arguments, Value dq) {
  QueriesLayout layout{shape};
  Value blocks = tilesOfBatch(k, arguments.tokens, arguments.sequences,
                              kWarpgroups * shape.tokensPerTile());
  LaunchSpec launch;
  launch.key = "attention_grad_queries_" + shape.key();
  launch.threads = kWarpgroup * (1 + kWarpgroups);
  launch.sharedBytes = layout.bytes();
  launch.grid = {blocks, k.index(shape.kvHeads), k.index(shape.parts())};
  launch.arguments = {mapOfRows(k, arguments.keys, arguments.tokens,
                                columnsOf(arguments.keys), kTileRows),
                      mapOfRows(k, arguments.values, arguments.tokens,
                                columnsOf(arguments.values), kTileRows),
                      arguments.q,
                      arguments.dy,
                      arguments.logs,
                      arguments.means,
                      arguments.positions,
                      arguments.sequences,
                      dq,
                      blocks,
                      arguments.sequenceCount,
                      arguments.tokens};
  launch.report =
      reportOf(k, kWarpgroups * kTileRows, shape.size, layout.stages());
  k.launch(launch, [&](Emitter &e, ValueRange values) {
    QueryGrad(e, shape, values).write();
  });
}

} // namespace nibble::hopper
