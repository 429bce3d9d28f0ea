// The kernel of the attention forward pass: a producer warp and consumer
// warpgroups.
#include "passes/LowerToHopper/Attention/AttentionForward.h"

#include "passes/LowerToHopper/Attention/AttentionTiles.h"

#include <cmath>
#include <numbers>

using namespace mlir;

namespace nibble::hopper {

namespace {

// The body of one kernel. A tile is `warpgroups` tiles of rows, with
// neighbouring tokens of one sequence and one key head. A producer thread loads
// keys and values, block by block, ascending.
//
// A block has one tile, unless there is a list. Then as many persistent blocks
// as there are multiprocessors work on one tile after another. The producer
// takes the next tile from the list. While the consumers finish one tile, the
// keys and values of the next are in flight.
class Forward {
public:
  Forward(Emitter &b, const AttentionForwardSpec &spec,
          const AttentionForwardArguments &args)
      : b(b), spec(spec), shape(spec.shape), args(args), math(b), at(newTile()),
        ringType(RingType::get(b.getContext(), spec.stages(), shape.tileBytes(),
                               consumerWarps())),
        tilesType(RingType::get(
            b.getContext(), AttentionForwardSpec::kTileSlots,
            AttentionForwardSpec::kTileSlotBytes, consumerWarps())) {}

  void write() {
    if (spec.listed())
      return writeRoles([&] { produceTiles(); }, [&] { consumeTiles(); });
    // The last tiles see the most keys, so they start first.
    Value number = b.subI(b.subI(args.blocks, b.block(0)), 1);
    BatchTile tile =
        findTile(b, args.sequences, args.sequenceCount, number, at.tokens());
    b.ifThen(tile.found, [&] {
      at.locate(tile, b.block(1));
      firstUse = b.i32(0);
      writeRoles([&] { produce(); },
                 [&] {
                   at.beginConsumer();
                   consume(loadQueries(at), [] {});
                 });
    });
  }

private:
  int64_t consumerWarps() const { return spec.warpgroups * kWarpgroup / 32; }
  QueryBlock newTile() const {
    return {b, shape, spec.warpgroups, args.positions, !spec.paged};
  }

  void writeRoles(llvm::function_ref<void()> producer,
                  llvm::function_ref<void()> consumers) {
    ring = RingOp::create(b, ringType, spec.queryBytes());
    if (spec.listed())
      tiles = RingOp::create(b, tilesType, spec.tilesOffset());
    b.ifThen(b.equal(b.thread(), 0), [&] {
      RingInitOp::create(b, ring);
      if (tiles)
        RingInitOp::create(b, tiles);
    });
    b.barrier();
    // With one warpgroup of consumers, two blocks share a multiprocessor's
    // registers.
    auto roles = RolesOp::create(b, 40, spec.warpgroups == 1 ? 216 : 232);
    b.writeRegion(roles.getProducer(), producer);
    b.writeRegion(roles.getConsumers(), consumers);
  }

  // The ring has blocks in the order in which they are multiplied: keys 0, keys
  // 1, values 0, keys 2, values 1, ... Keys 0 are use 0; this is for i > 0.
  Value useOfKeys(Value i) { return b.addI(firstUse, b.subI(b.mulI(i, 2), 1)); }
  Value useOfValues(Value i, bool last) {
    return b.addI(firstUse,
                  last ? b.addI(b.mulI(i, 2), 1) : b.addI(b.mulI(i, 2), 2));
  }
  Value usesOf(const QueryBlock &tile) { return b.mulI(tile.blocks, 2); }

  // --- tiles of the list -----------------------------------------------------

  Value recordAt(Value item) {
    return b.at(args.records, b.getI32Type(), b.mulI(b.wide(item), 8));
  }
  SmallVector<Value> loadRecord(Value pointer) {
    SmallVector<Value> record;
    for (int64_t half : {0, 16}) {
      Value part =
          b.load(b.atByte(pointer, half), b.vectorOf(b.getI32Type(), 4));
      for (int64_t i = 0; i < 4; ++i)
        record.push_back(b.extract(part, i));
    }
    return record;
  }

  void sendRecord(Value item, Value use) {
    Value slot = RingAcquireOp::create(b, b.sharedPointer(), tiles, use,
                                       b.i32(kTileRecordBytes));
    BulkCopyOp::create(b, recordAt(item), slot, b.i32(kTileRecordBytes), tiles,
                       use, UnitAttr());
  }

  void produceTiles() {
    Value zero = b.i32(0);
    SmallVector<Value> ended = b.loopWhile(
        {b.block(0), zero, zero},
        [&](ValueRange in) { return b.less(in[0], args.items); },
        [&](ValueRange in) -> SmallVector<Value> {
          Value item = in[0], use = in[1];
          firstUse = in[2];
          Value taken = LLVM::AtomicRMWOp::create(
              b, LLVM::AtomicBinOp::add, args.taken, b.i32(1),
              LLVM::AtomicOrdering::monotonic);
          at.locate(loadRecord(recordAt(item)));
          b.ifThen(at.tile.found, [&] {
            sendRecord(item, use);
            produce();
          });
          Value blocks = NVVM::GridDimXOp::create(b, b.getI32Type());
          return {
              b.addI(taken, blocks),
              b.select(at.tile.found, b.addI(use, 1), use),
              b.select(at.tile.found, b.addI(firstUse, usesOf(at)), firstUse)};
        });
    sendRecord(args.items, ended[1]); // the end of the list
  }

  SmallVector<Value> receiveRecord(Value use) {
    SmallVector<Value> record =
        loadRecord(RingWaitOp::create(b, b.sharedPointer(), tiles, use));
    b.syncWarp();
    b.ifThen(b.equal(b.lane(), 0),
             [&] { RingReleaseOp::create(b, tiles, use); });
    return record;
  }

  void consumeTiles() {
    at.beginThread();
    SmallVector<Value> record = receiveRecord(b.i32(0));
    at.locate(record);
    at.findRows();
    b.ifThen(at.tile.found, [&] {
      SmallVector<Value> init = {b.i32(1), b.i32(0)};
      init.append(record);
      init.append(loadQueries(at));
      b.doWhile(init,
                [&](ValueRange in) -> std::pair<Value, SmallVector<Value>> {
                  QueryBlock next = at; // for the same thread
                  firstUse = in[1];
                  at.locate(in.slice(2, 8));
                  at.findRows();
                  SmallVector<Value> carried;
                  // Fetch the data of the next tile while this one ends.
                  consume(SmallVector<Value>(in.drop_front(10)), [&] {
                    SmallVector<Value> record = receiveRecord(in[0]);
                    next.locate(record);
                    next.findRows();
                    carried = {b.addI(in[0], 1), b.addI(firstUse, usesOf(at))};
                    carried.append(record);
                    carried.append(loadQueries(next));
                  });
                  return {next.tile.found, carried};
                });
    });
  }

  // --- the producer ----------------------------------------------------------

  // The first row of a tile in keys and values as matrices, and the column of a
  // page's slot.
  struct Place {
    Value page, slot;
  };
  Place placeOf(Value i) {
    Value block = b.addI(at.firstBlock, i);
    if (!spec.paged)
      return {{},
              b.addI(b.subI(at.tile.begin, at.base), b.mulI(block, kTileRows))};
    int64_t perPage = spec.pageSize / kTileRows;
    Value cell =
        b.place(at.tile.sequence, args.pageColumns, b.divI(block, perPage));
    Value page = b.load(b.at(args.pages, b.getI32Type(), cell), b.getI32Type());
    return {b.addI(b.mulI(page, shape.kvHeads), at.kvHead),
            b.mulI(b.remI(block, perPage), kTileRows)};
  }

  void copy(Value map, Value column, Value row, Value slot, int64_t offset,
            Value use) {
    TensorCopyOp::create(b, map, ValueRange{column, row},
                         b.atByte(slot, offset), ring, use);
  }
  Value acquire(Value use, int64_t bytes) {
    return RingAcquireOp::create(b, b.sharedPointer(), ring, use, b.i32(bytes));
  }

  void copyKeys(Place place, Value use) {
    if (spec.paged) {
      Value slot = acquire(use, shape.size * 2 * kTileRows);
      return copy(args.keys, place.slot, b.mulI(place.page, shape.size), slot,
                  0, use);
    }
    Value slot = acquire(use, shape.tileBytes());
    for (int64_t box = 0; box < shape.boxes(); ++box)
      copy(args.keys, b.addI(b.mulI(at.kvHead, shape.size), box * kBoxColumns),
           place.slot, slot, box * kBoxBytes, use);
  }

  void copyValues(Place place, Value use) {
    Value slot = acquire(use, shape.tileBytes());
    for (int64_t box = 0; box < shape.boxes(); ++box) {
      if (spec.paged)
        copy(args.values, b.i32(box * kBoxColumns),
             b.addI(b.mulI(place.page, spec.pageSize), place.slot), slot,
             box * kBoxBytes, use);
      else
        copy(args.values,
             b.addI(b.mulI(at.kvHead, shape.size), box * kBoxColumns),
             place.slot, slot, box * kBoxBytes, use);
    }
  }

  void produce() {
    copyKeys(placeOf(b.i32(0)), firstUse);
    b.loop(b.i32(1), at.blocks, 1, [&](Value i) {
      Value before = b.subI(i, 1);
      copyKeys(placeOf(i), useOfKeys(i));
      copyValues(placeOf(before), useOfValues(before, false));
    });
    Value last = b.subI(at.blocks, 1);
    copyValues(placeOf(last), useOfValues(last, true));
  }

  // --- the consumers ---------------------------------------------------------

  // Fragments of the thread's rows; empty when queries are in shared memory.
  SmallVector<Value> loadQueries(QueryBlock &tile) {
    SmallVector<Value> queries;
    if (spec.queryBytes() != 0)
      return queries;
    for (int64_t step = 0; step < shape.size / 16; ++step) {
      SmallVector<Value> registers;
      for (int64_t i = 0; i < 4; ++i)
        registers.push_back(
            b.load(tile.rowPointer(args.q, tile.rows[i % 2],
                                   b.addI(tile.pair, 16 * step + 8 * (i / 2))),
                   b.getI32Type()));
      queries.push_back(b.fromElements(registers));
    }
    return queries;
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b, b.sharedPointer(), ring, use);
  }
  // Every warp does it for itself, as in the matrix kernel.
  void release(Value use) {
    b.ifThen(b.equal(b.lane(), 0),
             [&] { RingReleaseOp::create(b, ring, use); });
  }

  Value multiplyKeys(Value slot, Value scores) {
    TileMath::Operand keys =
        math.operand(slot, spec.paged ? TileMath::kAcross : TileMath::kAlong);
    if (queryTile)
      return math.multiply(math.operand(queryTile, TileMath::kAlong), keys,
                           scores, shape.size / 16);
    return math.multiply(queries, keys, scores, shape.size / 16);
  }
  Value multiplyValues(Value slot, ArrayRef<Value> weights, Value sums) {
    return math.multiply(weights, math.operand(slot, TileMath::kAcross), sums,
                         kTileRows / 16);
  }

  // The maximum m and the sum l of the thread's two rows. Until the end l
  // covers only the thread's own columns.
  struct Softmax {
    Value largest[2], sum[2];
  };

  // One block's step of the online softmax. Returns p, and the factors by which
  // the sums so far shrink.
  SmallVector<Value> step(Value scores, Softmax &softmax, Value (&decay)[2]) {
    double inBits = shape.scale * std::numbers::log2e;
    SmallVector<Value> weights(kTileRows / 2);
    for (int64_t half = 0; half < 2; ++half) {
      auto index = [&](int64_t j, int64_t e) { return 4 * j + 2 * half + e; };
      Value largest = softmax.largest[half];
      for (int64_t j = 0; j < kTileRows / 8; ++j)
        for (int64_t e = 0; e < 2; ++e)
          largest = b.max(largest, b.extract(scores, index(j, e)));
      for (int64_t mask = 1; mask < 4; mask *= 2)
        largest = b.max(largest, b.shuffleXor(largest, mask));
      // A row that has seen no key yet, because its window begins later, stays
      // unchanged.
      Value shift = largest;
      if (shape.window != 0)
        shift =
            b.select(b.greater(largest, b.f32(-INFINITY)), largest, b.f32(0));
      decay[half] =
          exp2(b, b.mul(b.sub(softmax.largest[half], shift), b.f32(inBits)));
      Value offset = b.neg(b.mul(shift, b.f32(inBits)));
      Value sum;
      for (int64_t j = 0; j < kTileRows / 8; ++j)
        for (int64_t e = 0; e < 2; ++e) {
          Value weight = exp2(
              b, b.fma(b.extract(scores, index(j, e)), b.f32(inBits), offset));
          weights[index(j, e)] = weight;
          sum = sum ? b.add(sum, weight) : weight;
        }
      softmax.sum[half] = b.fma(softmax.sum[half], decay[half], sum);
      softmax.largest[half] = largest;
    }
    return weights;
  }

  // PTX does not order register operations and the wait for matrix
  // instructions. ptxas moves the wait before the softmax, which should overlap
  // with them. It does not move a store, and this one depends on the whole
  // softmax.
  void keepBeforeWait(const Softmax &softmax) {
    Value place = b.addI(b.mulI(b.subI(b.thread(), kWarpgroup), 8),
                         spec.sharedBytes() - spec.scratchBytes());
    b.store(b.fromElements({softmax.sum[0], softmax.sum[1]}),
            b.atByte(b.sharedMemory(0), place));
  }

  // Multiplies by decay. If no row of a warp has a new maximum, all factors are
  // 1, and the products are skipped.
  Value shrink(Value sums, Value (&decay)[2]) {
    auto isOne = [&](Value x) {
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, b.f32(1));
    };
    Value stays = b.both(isOne(decay[0]), isOne(decay[1]));
    Value all = NVVM::VoteSyncOp::create(b, b.getI1Type(), b.i32(-1), stays,
                                         NVVM::VoteSyncKind::all);
    return b.ifValue(
        all, [&] { return sums; },
        [&] {
          SmallVector<Value> results;
          for (int64_t i = 0; i < shape.size / 2; ++i)
            results.push_back(b.mul(b.extract(sums, i), decay[i / 2 % 2]));
          return b.fromElements(results);
        });
  }

  // One tile; the fragments are its queries. `beforeEnd` emits code that runs
  // beside the last products.
  void consume(SmallVector<Value> fragments,
               llvm::function_ref<void()> beforeEnd) {
    queries = std::move(fragments);
    if (spec.queryBytes() != 0) {
      queryTile = at.storeRows(args.q, 0);
      b.fenceAsync();
      b.barrier(kConsumerBarrier, kWarpgroup * spec.warpgroups);
    }

    Softmax softmax;
    for (int64_t half = 0; half < 2; ++half) {
      softmax.largest[half] = b.f32(-INFINITY);
      softmax.sum[half] = b.f32(0);
    }
    Value decay[2];
    Value firstKeys = waitFor(firstUse);
    Value scores =
        multiplyKeys(firstKeys, math.fence(b.zeros(kTileRows / 2))[0]);
    math.commit();
    scores = math.wait(0, scores);
    release(firstUse);
    SmallVector<Value> carried =
        math.fragments(step(at.masked(scores, b.i32(0)), softmax, decay));
    carried.append({softmax.largest[0], softmax.largest[1], softmax.sum[0],
                    softmax.sum[1], b.zeros(shape.size / 2)});
    // The scores of a block are computed while the values of the previous block
    // are added; the softmax overlaps with the latter.
    carried = b.loop(
        b.i32(1), at.blocks, b.i32(1), carried,
        [&](Value i, ValueRange in) -> SmallVector<Value> {
          Value before = b.subI(i, 1), keyUse = useOfKeys(i),
                valueUse = useOfValues(before, false);
          Value keySlot = waitFor(keyUse), valueSlot = waitFor(valueUse);
          at.blank(valueSlot, before);
          SmallVector<Value> fenced =
              math.fence({b.zeros(kTileRows / 2), in[8]});
          Value scores = multiplyKeys(keySlot, fenced[0]);
          math.commit();
          SmallVector<Value> weights(in.take_front(4));
          Value sums = multiplyValues(valueSlot, weights, fenced[1]);
          math.commit();
          scores = math.wait(1, scores);
          release(keyUse);
          Softmax softmax{{in[4], in[5]}, {in[6], in[7]}};
          Value decay[2];
          SmallVector<Value> next =
              math.fragments(step(at.masked(scores, i), softmax, decay));
          keepBeforeWait(softmax);
          sums = math.wait(0, sums);
          release(valueUse);
          next.append({softmax.largest[0], softmax.largest[1], softmax.sum[0],
                       softmax.sum[1], shrink(sums, decay)});
          return next;
        });
    Value last = b.subI(at.blocks, 1), valueUse = useOfValues(last, true),
          valueSlot = waitFor(valueUse);
    at.blank(valueSlot, last);
    Value sums =
        multiplyValues(valueSlot, ArrayRef<Value>(carried).take_front(4),
                       math.fence(carried[8])[0]);
    math.commit();
    beforeEnd();
    sums = math.wait(0, sums);
    if (spec.listed()) // the ring continues with the next tile
      release(valueUse);
    for (int64_t half = 0; half < 2; ++half)
      finish(at.rows[half], half, carried[4 + half], carried[6 + half], sums);
  }

  // y = E(o * (1 / l)); lse = scale * m + log(l).
  void finish(const QueryBlock::Row &row, int64_t half, Value largest,
              Value sum, Value sums) {
    for (int64_t mask = 1; mask < 4; mask *= 2)
      sum = b.add(sum, b.shuffleXor(sum, mask));
    Value inverse = b.div(b.f32(1), sum);
    b.ifThen(row.there, [&] {
      for (int64_t j = 0; j < shape.size / 8; ++j) {
        auto part = [&](int64_t e) {
          return b.mul(b.extract(sums, 4 * j + 2 * half + e), inverse);
        };
        b.store(b.packBf16(part(0), part(1)),
                at.rowPointer(args.y, row, b.addI(at.pair, 8 * j)));
      }
      if (args.lse)
        b.ifThen(b.equal(at.pair, 0), [&] {
          Value value = b.fma(largest, b.f32(shape.scale), b.log(sum));
          b.store(value, at.cellPointer(args.lse, row));
        });
    });
  }

  Emitter &b;
  const AttentionForwardSpec &spec;
  const AttentionShape &shape;
  const AttentionForwardArguments &args;
  TileMath math;
  QueryBlock at;
  RingType ringType, tilesType;
  Value ring, tiles;          // tiles: ring of records; null without a list
  Value firstUse;             // of the ring by the tile
  SmallVector<Value> queries; // fragments, or
  Value queryTile;            // in shared memory
};

} // namespace

int64_t AttentionForwardSpec::queryBytes() const {
  return shape.size > 128 ? warpgroups * shape.tileBytes() : 0;
}

int64_t AttentionForwardSpec::stages() const {
  int64_t bytes = (warpgroups == 1 ? 110 : 220) * 1024 - queryBytes();
  return std::clamp<int64_t>(bytes / shape.tileBytes(), 3, 8);
}

int64_t AttentionForwardSpec::scratchBytes() const {
  return 8 * kWarpgroup * warpgroups;
}

int64_t AttentionForwardSpec::tilesOffset() const {
  int64_t end = queryBytes() + stages() * (shape.tileBytes() + 16);
  return (end + 1023) / 1024 * 1024;
}

int64_t AttentionForwardSpec::sharedBytes() const {
  return tilesOffset() + (listed() ? kTileSlots * (kTileSlotBytes + 16) : 0) +
         scratchBytes();
}

std::string AttentionForwardSpec::key() const {
  std::string key =
      paged ? "attention_paged" + std::to_string(pageSize) : "attention";
  return key + "_" + shape.key() + (warpgroups == 1 ? "_narrow" : "");
}

void launchAttentionForward(Kernel &k, const AttentionForwardSpec &spec,
                            const AttentionForwardArguments &arguments) {
  LaunchSpec launch;
  launch.key = spec.key();
  launch.threads = kWarpgroup * (1 + spec.warpgroups);
  launch.sharedBytes = spec.sharedBytes();
  launch.report =
      reportOf(k, spec.warpgroups * kTileRows, spec.shape.size, spec.stages());
  launch.arguments = {arguments.keys, arguments.values, arguments.q,
                      arguments.y, arguments.positions};
  if (spec.listed()) {
    TileList list = launchTileList(k, spec.shape, spec.warpgroups,
                                   arguments.positions, arguments.sequences,
                                   arguments.blocks, arguments.sequenceCount);
    launch.grid = {k.host.createOrFold<arith::MinUIOp>(k.loc(), list.items,
                                                       k.index(k.sms()))};
    launch.arguments.append({list.records, list.taken, list.items});
    launch.consumed = {list.taken};
    launch.partly = {list.records}; // only records of found tiles
    launch.touches = k.mul(k.extent(list.records, 0), k.index(8 * 4));
  } else {
    launch.grid = {arguments.blocks, k.index(spec.shape.kvHeads)};
    launch.arguments.append(
        {arguments.sequences, arguments.blocks, arguments.sequenceCount});
  }
  if (spec.paged) {
    launch.arguments.append({arguments.pages, arguments.pageColumns});
    // As many pages as the sequences have. Their lengths are known on the
    // device only.
    for (Value map : {arguments.keys, arguments.values})
      launch.partly.push_back(map.getDefiningOp<TensorMapOp>().getBuffer());
    launch.partly.push_back(arguments.pages);
  }
  if (!spec.paged)
    launch.arguments.push_back(arguments.lse);
  k.launch(launch, [&](Emitter &e, ValueRange values) {
    AttentionForwardArguments inside;
    inside.keys = values[0], inside.values = values[1], inside.q = values[2],
    inside.y = values[3];
    inside.positions = values[4];
    if (spec.listed())
      inside.records = values[5], inside.taken = values[6],
      inside.items = values[7];
    else
      inside.sequences = values[5], inside.blocks = values[6],
      inside.sequenceCount = values[7];
    if (spec.paged)
      inside.pages = values[8], inside.pageColumns = values[9];
    else
      inside.lse = values[8];
    Forward(e, spec, inside).write();
  });
}

} // namespace nibble::hopper
