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
      : b_(b), spec_(spec), shape_(spec.shape), args_(args), math_(b),
        at_(newTile()),
        ringType_(RingType::get(b.getContext(), spec.stages(),
                                shape_.tileBytes(), consumerWarps())),
        tilesType_(RingType::get(
            b.getContext(), AttentionForwardSpec::kTileSlots,
            AttentionForwardSpec::kTileSlotBytes, consumerWarps())) {}

  void write() {
    if (spec_.listed())
      return writeRoles([&] { produceTiles(); }, [&] { consumeTiles(); });
    // The last tiles see the most keys, so they start first.
    Value number = b_.subI(b_.subI(args_.blocks, b_.block(0)), 1);
    BatchTile tile = findTile(b_, args_.sequences, args_.sequenceCount, number,
                              at_.tokens());
    b_.ifThen(tile.found, [&] {
      at_.locate(tile, b_.block(1));
      firstUse_ = b_.i32(0);
      writeRoles([&] { produce(); },
                 [&] {
                   at_.beginConsumer();
                   consume(loadQueries(at_), [] {});
                 });
    });
  }

private:
  int64_t consumerWarps() const { return spec_.warpgroups * kWarpgroup / 32; }
  QueryBlock newTile() const {
    return {b_, shape_, spec_.warpgroups, args_.positions, !spec_.paged};
  }

  void writeRoles(llvm::function_ref<void()> producer,
                  llvm::function_ref<void()> consumers) {
    ring_ = RingOp::create(b_, ringType_, spec_.queryBytes());
    if (spec_.listed())
      tiles_ = RingOp::create(b_, tilesType_, spec_.tilesOffset());
    b_.ifThen(b_.equal(b_.thread(), 0), [&] {
      RingInitOp::create(b_, ring_);
      if (tiles_)
        RingInitOp::create(b_, tiles_);
    });
    b_.barrier();
    // With one warpgroup of consumers, two blocks share a multiprocessor's
    // registers.
    auto roles = RolesOp::create(b_, 40, spec_.warpgroups == 1 ? 216 : 232);
    b_.writeRegion(roles.getProducer(), producer);
    b_.writeRegion(roles.getConsumers(), consumers);
  }

  // The ring has blocks in the order in which they are multiplied: keys 0, keys
  // 1, values 0, keys 2, values 1, ... Keys 0 are use 0; this is for i > 0.
  Value useOfKeys(Value i) {
    return b_.addI(firstUse_, b_.subI(b_.mulI(i, 2), 1));
  }
  Value useOfValues(Value i, bool last) {
    return b_.addI(firstUse_, last ? b_.addI(b_.mulI(i, 2), 1)
                                   : b_.addI(b_.mulI(i, 2), 2));
  }
  Value usesOf(const QueryBlock &tile) { return b_.mulI(tile.blocks, 2); }

  // --- tiles of the list -----------------------------------------------------

  Value recordAt(Value item) {
    return b_.at(args_.records, b_.getI32Type(), b_.mulI(b_.wide(item), 8));
  }
  SmallVector<Value> loadRecord(Value pointer) {
    SmallVector<Value> record;
    for (int64_t half : {0, 16}) {
      Value part =
          b_.load(b_.atByte(pointer, half), b_.vectorOf(b_.getI32Type(), 4));
      for (int64_t i = 0; i < 4; ++i)
        record.push_back(b_.extract(part, i));
    }
    return record;
  }

  void sendRecord(Value item, Value use) {
    Value slot = RingAcquireOp::create(b_, b_.sharedPointer(), tiles_, use,
                                       b_.i32(kTileRecordBytes));
    BulkCopyOp::create(b_, recordAt(item), slot, b_.i32(kTileRecordBytes),
                       tiles_, use, UnitAttr());
  }

  void produceTiles() {
    Value zero = b_.i32(0);
    SmallVector<Value> ended = b_.loopWhile(
        {b_.block(0), zero, zero},
        [&](ValueRange in) { return b_.less(in[0], args_.items); },
        [&](ValueRange in) -> SmallVector<Value> {
          Value item = in[0];
          Value use = in[1];
          firstUse_ = in[2];
          Value taken = LLVM::AtomicRMWOp::create(
              b_, LLVM::AtomicBinOp::add, args_.taken, b_.i32(1),
              LLVM::AtomicOrdering::monotonic);
          at_.locate(loadRecord(recordAt(item)));
          b_.ifThen(at_.tile.found, [&] {
            sendRecord(item, use);
            produce();
          });
          Value blocks = NVVM::GridDimXOp::create(b_, b_.getI32Type());
          return {b_.addI(taken, blocks),
                  b_.select(at_.tile.found, b_.addI(use, 1), use),
                  b_.select(at_.tile.found, b_.addI(firstUse_, usesOf(at_)),
                            firstUse_)};
        });
    sendRecord(args_.items, ended[1]); // the end of the list
  }

  SmallVector<Value> receiveRecord(Value use) {
    SmallVector<Value> record =
        loadRecord(RingWaitOp::create(b_, b_.sharedPointer(), tiles_, use));
    b_.syncWarp();
    b_.ifThen(b_.equal(b_.lane(), 0),
              [&] { RingReleaseOp::create(b_, tiles_, use); });
    return record;
  }

  void consumeTiles() {
    at_.beginThread();
    SmallVector<Value> record = receiveRecord(b_.i32(0));
    at_.locate(record);
    at_.findRows();
    b_.ifThen(at_.tile.found, [&] {
      SmallVector<Value> init = {b_.i32(1), b_.i32(0)};
      init.append(record);
      init.append(loadQueries(at_));
      b_.doWhile(
          init, [&](ValueRange in) -> std::pair<Value, SmallVector<Value>> {
            QueryBlock next = at_; // for the same thread
            firstUse_ = in[1];
            at_.locate(in.slice(2, 8));
            at_.findRows();
            SmallVector<Value> carried;
            // Fetch the data of the next tile while this one ends.
            consume(SmallVector<Value>(in.drop_front(10)), [&] {
              SmallVector<Value> record = receiveRecord(in[0]);
              next.locate(record);
              next.findRows();
              carried = {b_.addI(in[0], 1), b_.addI(firstUse_, usesOf(at_))};
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
    Value block = b_.addI(at_.firstBlock, i);
    if (!spec_.paged)
      return {{},
              b_.addI(b_.subI(at_.tile.begin, at_.base),
                      b_.mulI(block, kTileRows))};
    int64_t perPage = spec_.pageSize / kTileRows;
    Value cell =
        b_.place(at_.tile.sequence, args_.pageColumns, b_.divI(block, perPage));
    Value page =
        b_.load(b_.at(args_.pages, b_.getI32Type(), cell), b_.getI32Type());
    return {b_.addI(b_.mulI(page, shape_.kvHeads), at_.kvHead),
            b_.mulI(b_.remI(block, perPage), kTileRows)};
  }

  void copy(Value map, Value column, Value row, Value slot, int64_t offset,
            Value use) {
    TensorCopyOp::create(b_, map, ValueRange{column, row},
                         b_.atByte(slot, offset), ring_, use);
  }
  Value acquire(Value use, int64_t bytes) {
    return RingAcquireOp::create(b_, b_.sharedPointer(), ring_, use,
                                 b_.i32(bytes));
  }

  void copyKeys(Place place, Value use) {
    if (spec_.paged) {
      Value slot = acquire(use, shape_.size * 2 * kTileRows);
      return copy(args_.keys, place.slot, b_.mulI(place.page, shape_.size),
                  slot, 0, use);
    }
    Value slot = acquire(use, shape_.tileBytes());
    for (int64_t box = 0; box < shape_.boxes(); ++box)
      copy(args_.keys,
           b_.addI(b_.mulI(at_.kvHead, shape_.size), box * kBoxColumns),
           place.slot, slot, box * kTileBoxBytes, use);
  }

  void copyValues(Place place, Value use) {
    Value slot = acquire(use, shape_.tileBytes());
    for (int64_t box = 0; box < shape_.boxes(); ++box) {
      if (spec_.paged)
        copy(args_.values, b_.i32(box * kBoxColumns),
             b_.addI(b_.mulI(place.page, spec_.pageSize), place.slot), slot,
             box * kTileBoxBytes, use);
      else
        copy(args_.values,
             b_.addI(b_.mulI(at_.kvHead, shape_.size), box * kBoxColumns),
             place.slot, slot, box * kTileBoxBytes, use);
    }
  }

  void produce() {
    copyKeys(placeOf(b_.i32(0)), firstUse_);
    b_.loop(b_.i32(1), at_.blocks, 1, [&](Value i) {
      Value before = b_.subI(i, 1);
      copyKeys(placeOf(i), useOfKeys(i));
      copyValues(placeOf(before), useOfValues(before, false));
    });
    Value last = b_.subI(at_.blocks, 1);
    copyValues(placeOf(last), useOfValues(last, true));
  }

  // --- the consumers ---------------------------------------------------------

  // Fragments of the thread's rows; empty when queries are in shared memory.
  SmallVector<Value> loadQueries(QueryBlock &tile) {
    SmallVector<Value> queries;
    if (spec_.queryBytes() != 0)
      return queries;
    for (int64_t step = 0; step < shape_.size / 16; ++step) {
      SmallVector<Value> registers;
      for (int64_t i = 0; i < 4; ++i)
        registers.push_back(b_.load(
            tile.rowPointer(args_.q, tile.rows[i % 2],
                            b_.addI(tile.pair, 16 * step + 8 * (i / 2))),
            b_.getI32Type()));
      queries.push_back(b_.fromElements(registers));
    }
    return queries;
  }

  Value waitFor(Value use) {
    return RingWaitOp::create(b_, b_.sharedPointer(), ring_, use);
  }
  // Every warp does it for itself, as in the matrix kernel.
  void release(Value use) {
    b_.ifThen(b_.equal(b_.lane(), 0),
              [&] { RingReleaseOp::create(b_, ring_, use); });
  }

  Value multiplyKeys(Value slot, Value scores) {
    TileMath::Operand keys =
        math_.operand(slot, spec_.paged ? TileMath::kAcross : TileMath::kAlong);
    if (queryTile_)
      return math_.multiply(math_.operand(queryTile_, TileMath::kAlong), keys,
                            scores, shape_.size / 16);
    return math_.multiply(queries_, keys, scores, shape_.size / 16);
  }
  Value multiplyValues(Value slot, ArrayRef<Value> weights, Value sums) {
    return math_.multiply(weights, math_.operand(slot, TileMath::kAcross), sums,
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
    double inBits = shape_.scale * std::numbers::log2e;
    SmallVector<Value> weights(kTileRows / 2);
    for (int64_t half = 0; half < 2; ++half) {
      auto index = [&](int64_t j, int64_t e) { return 4 * j + 2 * half + e; };
      Value largest = softmax.largest[half];
      for (int64_t j = 0; j < kTileRows / 8; ++j)
        for (int64_t e = 0; e < 2; ++e)
          largest = b_.max(largest, b_.extract(scores, index(j, e)));
      for (int64_t mask = 1; mask < 4; mask *= 2)
        largest = b_.max(largest, b_.shuffleXor(largest, mask));
      // A row that has seen no key yet, because its window begins later, stays
      // unchanged.
      Value shift = largest;
      if (shape_.window != 0)
        shift = b_.select(b_.greater(largest, b_.f32(-INFINITY)), largest,
                          b_.f32(0));
      decay[half] = exp2(
          b_, b_.mul(b_.sub(softmax.largest[half], shift), b_.f32(inBits)));
      Value offset = b_.neg(b_.mul(shift, b_.f32(inBits)));
      Value sum;
      for (int64_t j = 0; j < kTileRows / 8; ++j)
        for (int64_t e = 0; e < 2; ++e) {
          Value weight = exp2(b_, b_.fma(b_.extract(scores, index(j, e)),
                                         b_.f32(inBits), offset));
          weights[index(j, e)] = weight;
          sum = sum ? b_.add(sum, weight) : weight;
        }
      softmax.sum[half] = b_.fma(softmax.sum[half], decay[half], sum);
      softmax.largest[half] = largest;
    }
    return weights;
  }

  // PTX does not order register operations and the wait for matrix
  // instructions. ptxas moves the wait before the softmax, which should overlap
  // with them. It does not move a store, and this one depends on the whole
  // softmax.
  void keepBeforeWait(const Softmax &softmax) {
    Value place = b_.addI(b_.mulI(b_.subI(b_.thread(), kWarpgroup), 8),
                          spec_.sharedBytes() - spec_.scratchBytes());
    b_.store(b_.fromElements({softmax.sum[0], softmax.sum[1]}),
             b_.atByte(b_.sharedMemory(0), place));
  }

  // Multiplies by decay. If no row of a warp has a new maximum, all factors are
  // 1, and the products are skipped.
  Value shrink(Value sums, Value (&decay)[2]) {
    auto isOne = [&](Value x) {
      return arith::CmpFOp::create(b_, arith::CmpFPredicate::OEQ, x, b_.f32(1));
    };
    Value stays = b_.both(isOne(decay[0]), isOne(decay[1]));
    Value all = NVVM::VoteSyncOp::create(b_, b_.getI1Type(), b_.i32(-1), stays,
                                         NVVM::VoteSyncKind::all);
    return b_.ifValue(
        all, [&] { return sums; },
        [&] {
          SmallVector<Value> results;
          for (int64_t i = 0; i < shape_.size / 2; ++i)
            results.push_back(b_.mul(b_.extract(sums, i), decay[i / 2 % 2]));
          return b_.fromElements(results);
        });
  }

  // One tile; the fragments are its queries. `beforeEnd` emits code that runs
  // beside the last products.
  void consume(SmallVector<Value> fragments,
               llvm::function_ref<void()> beforeEnd) {
    queries_ = std::move(fragments);
    if (spec_.queryBytes() != 0) {
      queryTile_ = at_.storeRows(args_.q, 0);
      b_.fenceAsync();
      b_.barrier(kConsumerBarrier, kWarpgroup * spec_.warpgroups);
    }

    Softmax softmax;
    for (int64_t half = 0; half < 2; ++half) {
      softmax.largest[half] = b_.f32(-INFINITY);
      softmax.sum[half] = b_.f32(0);
    }
    Value decay[2];
    Value firstKeys = waitFor(firstUse_);
    Value scores =
        multiplyKeys(firstKeys, math_.fence(b_.zeros(kTileRows / 2))[0]);
    math_.commit();
    scores = math_.wait(0, scores);
    release(firstUse_);
    SmallVector<Value> carried =
        math_.fragments(step(at_.masked(scores, b_.i32(0)), softmax, decay));
    carried.append({softmax.largest[0], softmax.largest[1], softmax.sum[0],
                    softmax.sum[1], b_.zeros(shape_.size / 2)});
    // The scores of a block are computed while the values of the previous block
    // are added; the softmax overlaps with the latter.
    carried = b_.loop(
        b_.i32(1), at_.blocks, b_.i32(1), carried,
        [&](Value i, ValueRange in) -> SmallVector<Value> {
          Value before = b_.subI(i, 1);
          Value keyUse = useOfKeys(i);
          Value valueUse = useOfValues(before, false);
          Value keySlot = waitFor(keyUse);
          Value valueSlot = waitFor(valueUse);
          at_.blank(valueSlot, before);
          SmallVector<Value> fenced =
              math_.fence({b_.zeros(kTileRows / 2), in[8]});
          Value scores = multiplyKeys(keySlot, fenced[0]);
          math_.commit();
          SmallVector<Value> weights(in.take_front(4));
          Value sums = multiplyValues(valueSlot, weights, fenced[1]);
          math_.commit();
          scores = math_.wait(1, scores);
          release(keyUse);
          Softmax softmax{{in[4], in[5]}, {in[6], in[7]}};
          Value decay[2];
          SmallVector<Value> next =
              math_.fragments(step(at_.masked(scores, i), softmax, decay));
          keepBeforeWait(softmax);
          sums = math_.wait(0, sums);
          release(valueUse);
          next.append({softmax.largest[0], softmax.largest[1], softmax.sum[0],
                       softmax.sum[1], shrink(sums, decay)});
          return next;
        });
    Value last = b_.subI(at_.blocks, 1);
    Value valueUse = useOfValues(last, true);
    Value valueSlot = waitFor(valueUse);
    at_.blank(valueSlot, last);
    Value sums =
        multiplyValues(valueSlot, ArrayRef<Value>(carried).take_front(4),
                       math_.fence(carried[8])[0]);
    math_.commit();
    beforeEnd();
    sums = math_.wait(0, sums);
    if (spec_.listed()) // the ring continues with the next tile
      release(valueUse);
    for (int64_t half = 0; half < 2; ++half)
      finish(at_.rows[half], half, carried[4 + half], carried[6 + half], sums);
  }

  // y = E(o * (1 / l)); lse = scale * m + log(l).
  void finish(const QueryBlock::Row &row, int64_t half, Value largest,
              Value sum, Value sums) {
    for (int64_t mask = 1; mask < 4; mask *= 2)
      sum = b_.add(sum, b_.shuffleXor(sum, mask));
    Value inverse = b_.div(b_.f32(1), sum);
    b_.ifThen(row.there, [&] {
      for (int64_t j = 0; j < shape_.size / 8; ++j) {
        auto part = [&](int64_t e) {
          return b_.mul(b_.extract(sums, 4 * j + 2 * half + e), inverse);
        };
        b_.store(b_.packBf16(part(0), part(1)),
                 at_.rowPointer(args_.y, row, b_.addI(at_.pair, 8 * j)));
      }
      if (args_.lse)
        b_.ifThen(b_.equal(at_.pair, 0), [&] {
          Value value = b_.fma(largest, b_.f32(shape_.scale), b_.log(sum));
          b_.store(value, at_.cellPointer(args_.lse, row));
        });
    });
  }

  Emitter &b_;
  const AttentionForwardSpec &spec_;
  const AttentionShape &shape_;
  const AttentionForwardArguments &args_;
  TileMath math_;
  QueryBlock at_;
  RingType ringType_, tilesType_;
  Value ring_, tiles_;         // tiles: ring of records; null without a list
  Value firstUse_;             // of the ring by the tile
  SmallVector<Value> queries_; // fragments, or
  Value queryTile_;            // in shared memory
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
