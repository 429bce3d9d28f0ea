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
struct Layout {
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
      : b(b), shape(shape), layout{shape}, math(b),
        at(b, shape, kWarpgroups, arguments[6], /*fromBatch=*/true),
        keys(arguments[0]), values(arguments[1]), q(arguments[2]),
        dy(arguments[3]), logs(arguments[4]), means(arguments[5]),
        sequences(arguments[7]), dq(arguments[8]), blocks(arguments[9]),
        sequenceCount(arguments[10]), tokens(arguments[11]),
        ringType(RingType::get(b.getContext(), layout.stages(),
                               shape.tileBytes(),
                               kWarpgroups * kWarpgroup / 32)) {}

  void write() {
    Value number = b.subI(b.subI(blocks, b.block(0)), 1);
    BatchTile tile = findTile(b, sequences, sequenceCount, number, at.tokens());
    b.ifThen(tile.found, [&] {
      at.locate(tile, b.block(1));
      ring = RingOp::create(b, ringType, 2 * layout.rowsBytes());
      b.ifThen(b.equal(b.thread(), 0), [&] { RingInitOp::create(b, ring); });
      b.barrier();
      bool tight = shape.size > 128;
      auto roles = RolesOp::create(b, tight ? 24 : 40, tight ? 240 : 232);
      b.writeRegion(roles.getProducer(), [&] { produce(); });
      b.writeRegion(roles.getConsumers(), [&] { consume(); });
    });
  }

private:
  void copyTile(Value map, Value row, Value use) {
    Value slot = RingAcquireOp::create(b, b.sharedPointer(), ring, use,
                                       b.i32(shape.tileBytes()));
    for (int64_t box = 0; box < shape.boxes(); ++box) {
      Value column = b.addI(b.mulI(at.kvHead, shape.size), box * kBoxColumns);
      TensorCopyOp::create(b, map, ValueRange{column, row},
                           b.atByte(slot, box * kBoxBytes), ring, use);
    }
  }
  Value useOfKeys(Value i) { return b.mulI(i, 2); }
  Value useOfValues(Value i) { return b.addI(b.mulI(i, 2), 1); }

  void produce() {
    b.loop(b.i32(0), at.blocks, 1, [&](Value i) {
      Value row = b.addI(b.subI(at.tile.begin, at.base), at.startOf(i));
      copyTile(keys, row, useOfKeys(i));
      copyTile(values, row, useOfValues(i));
    });
  }

  // The columns of a key tile that the block multiplies for its gradient.
  Value partOf(Value slot) {
    return shape.parts() == 1
               ? slot
               : b.atByte(slot,
                          b.mulI(b.block(2), shape.partColumns() / kBoxColumns *
                                                 kBoxBytes));
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b, b.sharedPointer(), ring, use);
  }
  // Every warp does it for itself, as in the matrix kernel.
  void release(Value use) {
    b.ifThen(b.equal(b.lane(), 0),
             [&] { RingReleaseOp::create(b, ring, use); });
  }

  Value statistic(Value pointer, const QueryBlock::Row &row) {
    Value cell = b.place(b.place(at.kvHead, tokens, row.token), shape.group,
                         b.remI(row.head, shape.group));
    return b.load(b.at(pointer, b.getF32Type(), cell), b.getF32Type());
  }

  void consume() {
    at.beginConsumer();
    TileMath::Operand qTile =
        math.operand(at.storeRows(q, 0), TileMath::kAlong);
    TileMath::Operand dyTile =
        math.operand(at.storeRows(dy, layout.rowsBytes()), TileMath::kAlong);
    b.fenceAsync();
    b.barrier(kConsumerBarrier, kWarpgroup * kWarpgroups);
    Value log[2], mean[2];
    for (int64_t half = 0; half < 2; ++half) {
      log[half] = statistic(logs, at.rows[half]);
      mean[half] = statistic(means, at.rows[half]);
    }
    int64_t steps = shape.size / 16;
    Value inBits = b.f32(shape.scale * std::numbers::log2e);
    Value zeros = b.zeros(shape.partColumns() / 2);
    // At least one, in a way that the compiler sees.
    Value count = b.maxI(at.blocks, b.i32(1));
    Value sums = b.loop(
        b.i32(0), count, b.i32(1), {zeros},
        [&](Value i, ValueRange carried) -> SmallVector<Value> {
          Value keySlot = waitFor(useOfKeys(i)),
                valueSlot = waitFor(useOfValues(i));
          at.blank({keySlot, valueSlot}, i);
          auto multiply = [&](TileMath::Operand rows, Value slot, Value sums) {
            sums = math.multiply(rows, math.operand(slot, TileMath::kAlong),
                                 sums, steps);
            math.commit();
            return sums;
          };
          // Both products at once, or one after the other when registers hold
          // only one beside the sums.
          bool both = shape.size <= 128;
          SmallVector<Value> zeros(both ? 2 : 1, b.zeros(kTileRows / 2));
          zeros = math.fence(ValueRange(zeros));
          Value scores = multiply(qTile, keySlot, zeros[0]), products;
          if (both)
            products = multiply(dyTile, valueSlot, zeros[1]);
          // The products of the previous block run until here, if the ring can
          // spare the slot of its keys that long.
          Value before = carried[0];
          if (both) {
            before = math.wait(2, before);
            b.ifThen(b.less(b.i32(0), i),
                     [&] { release(useOfKeys(b.subI(i, 1))); });
          }
          scores = at.masked(math.wait(both ? 1 : 0, scores), i);
          SmallVector<Value> weights;
          for (int64_t j = 0; j < kTileRows / 2; ++j)
            weights.push_back(
                exp2(b, b.fma(b.extract(scores, j), inBits, log[j / 2 % 2])));
          if (!both)
            products = multiply(dyTile, valueSlot,
                                math.fence(b.zeros(kTileRows / 2))[0]);
          products = math.wait(0, products);
          release(useOfValues(i));
          for (int64_t j = 0; j < kTileRows / 2; ++j)
            weights[j] = b.mul(weights[j],
                               b.sub(b.extract(products, j), mean[j / 2 % 2]));
          SmallVector<Value> fragments = math.fragments(weights);
          Value sums = math.fence(before)[0];
          sums = math.multiply(fragments,
                               math.operand(partOf(keySlot), TileMath::kAcross),
                               sums, kTileRows / 16);
          math.commit();
          if (!both) {
            sums = math.wait(0, sums);
            release(useOfKeys(i));
          }
          return {sums};
        })[0];
    sums = math.wait(0, sums);
    for (int64_t half = 0; half < 2; ++half)
      b.ifThen(at.rows[half].there, [&] {
        for (int64_t j = 0; j < shape.partColumns() / 8; ++j) {
          auto scaled = [&](int64_t e) {
            return b.mul(b.extract(sums, 4 * j + 2 * half + e),
                         b.f32(shape.scale));
          };
          Value column = b.addI(
              b.addI(b.mulI(b.block(2), shape.partColumns()), at.pair), 8 * j);
          auto write = [&] {
            b.store(b.packBf16(scaled(0), scaled(1)),
                    at.rowPointer(dq, at.rows[half], column));
          };
          if (shape.size % shape.partColumns() == 0)
            write();
          else
            b.ifThen(b.less(column, shape.size), write);
        }
      });
  }

  Emitter &b;
  const AttentionShape &shape;
  Layout layout;
  TileMath math;
  QueryBlock at;
  Value keys, values, q, dy, logs, means, sequences, dq, blocks, sequenceCount,
      tokens;
  RingType ringType;
  Value ring;
};

} // namespace

void launchQueryGrad(Kernel &k, const AttentionShape &shape,
                     const AttentionGradArguments &arguments, Value dq) {
  Layout layout{shape};
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
