#include "passes/LowerToHopper/Linear/MatrixKernel.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToDevice/Rows/Swiglu.h"
#include "passes/LowerToHopper/Linear/ClusterExchange.h"
#include "passes/LowerToHopper/Linear/SlabFragments.h"
#include "passes/LowerToHopper/Linear/WarpProduct.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kWarpgroupRows = 64;  // of m in an instruction
constexpr int64_t kStep = 16;           // of k in an instruction
constexpr int64_t kBoxBytes = 64 * 128; // 64 rows of 64 bf16
constexpr int64_t kWarpsOfUse = 8;      // that read a stage

// The body of one kernel.
class Matrix {
public:
  Matrix(Emitter &b, const MatrixSpec &spec, const MatrixArguments &args)
      : b(b), spec(spec), args(args),
        ringType(RingType::get(b.getContext(), spec.stages(), spec.stageBytes(),
                               kWarpsOfUse * spec.sharers)) {}

  void write() {
    ring = RingOp::create(b, ringType, 0);
    rank = spec.cluster() > 1 ? b.remI(b.block(0), spec.cluster()) : b.i32(0);
    rowBlock = spec.sideBySide() && spec.cluster() > 1
                   ? b.divI(b.block(0), spec.cluster())
                   : b.block(0);
    columnBlock = b.block(1);
    if (spec.tile >= 128)
      takeTurns();
    // At least one, which the compiler can see: ptxas runs matrix instructions
    // one by one where a path goes around them.
    steps = b.mulI(b.maxI(b.ceilDivI(args.k, spec.unitDepth()), b.i32(1)),
                   spec.unitDepth() / spec.stageDepth());
    b.ifThen(b.equal(b.thread(), 0), [&] {
      if (spec.sideBySide())
        exchange().init();
      RingInitOp::create(b, ring);
      if (spec.sideBySide())
        exchange().expect();
    });
    if (spec.sideBySide())
      exchange().arrive();
    if (spec.sharers > 1)
      meetSharers();
    else
      b.barrier();
    // setmaxnreg moves registers between the warps of a block, which has what
    // it was launched with.
    int64_t threads = 128 + spec.consumers(),
            launched = 65536 / spec.blocksPerSM() / threads / 8 * 8;
    int64_t producer =
        spec.blocksPerSM() * spec.streams() > 1 || spec.tile > 128 ? 24 : 40;
    int64_t consumer =
        (launched * threads - producer * 128) / spec.consumers() / 8 * 8;
    auto roles = RolesOp::create(b, producer, consumer);
    b.writeRegion(roles.getProducer(), [&] { produce(); });
    b.writeRegion(roles.getConsumers(), [&] { consume(); });
    if (spec.sharers > 1)
      meetSharers();
  }

private:
  // Rows of the result that a block makes: with two weights half of those that
  // it multiplies.
  int64_t rowsOfY() const { return spec.swiglu ? kWarpgroupRows : kBlockRows; }

  // Blocks that run side by side are a rectangle of the result, so that they
  // share what they read: some blocks of columns, one row of blocks (of a
  // cluster) after the other. Packed weights are a quarter of bf16 ones, so
  // that fewer columns make a rectangle of which less is read.
  void takeTurns() {
    int64_t width = spec.tile == 256 && spec.a == Operand::kPacked ? 4 : 8;
    Value rows = b.ceilDivI(args.m, rowsOfY() * spec.sharers),
          columns = b.ceilDivI(args.n, spec.tile);
    Value number =
        b.addI(b.mulI(b.block(1), rows), b.divI(b.block(0), spec.sharers));
    Value first = b.mulI(b.divI(number, b.mulI(rows, width)), width),
          inGroup = b.remI(number, b.mulI(rows, width));
    Value ofGroup = b.minI(b.subI(columns, first), b.i32(width));
    rowBlock = b.addI(b.mulI(b.divI(inGroup, ofGroup), spec.sharers), rank);
    columnBlock = b.addI(first, b.remI(inGroup, ofGroup));
  }

  // Nobody reaches into another block before its barriers are there, or after
  // it has ended.
  void meetSharers() {
    NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
    NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
  }

  // --- the producer
  // -----------------------------------------------------------

  void copyBox(Value map, Value inner, Value outer, Value slot, int64_t offset,
               Value use) {
    TensorCopyOp::create(b, map, ValueRange{inner, outer},
                         b.atByte(slot, offset), ring, use);
  }

  void produce() {
    Value row = b.mulI(rowBlock, rowsOfY());
    int64_t bytes =
        spec.bBytes() + (spec.a == Operand::kPacked
                             ? 2 * (spec.codeBytes() + spec.scaleBytes())
                             : kBlockRows * spec.stageDepth() * 2);
    auto acquire = [&](Value use) -> Value {
      return RingAcquireOp::create(b, b.sharedPointer(), ring, use,
                                   b.i32(bytes));
    };
    // Streams take turns; where one has a step more than the other, its last
    // use is the last but one, or the last.
    int64_t streams = spec.streams();
    SmallVector<Value> begins, ends;
    Value count;
    for (int64_t stream = 0; stream < streams; ++stream) {
      Value split = b.addI(b.mulI(rank, streams), stream);
      begins.push_back(spec.sideBySide() ? splitBegin(split) : b.i32(0));
      ends.push_back(spec.sideBySide() ? splitBegin(b.addI(split, 1)) : steps);
      Value own = b.subI(ends.back(), begins.back());
      count = count ? b.maxI(count, own) : own;
    }
    count = b.mulI(count, streams);
    auto forUses = [&](Value from, Value to,
                       llvm::function_ref<void(Value, Value)> body) {
      b.loop(from, to, 1, [&](Value use) {
        if (streams == 1)
          return body(use, b.addI(begins[0], use));
        Value first = b.equal(b.andI(use, 1), 0);
        Value step =
            b.addI(b.select(first, begins[0], begins[1]), b.shrI(use, 1));
        b.ifThen(b.less(step, b.select(first, ends[0], ends[1])),
                 [&] { body(use, step); });
      });
    };
    Value fetched = b.i32(0);
    if (spec.early) {
      // The first round of the ring: weights, then, when the kernel before has
      // ended, what it made.
      fetched = b.minI(count, b.i32(spec.stages()));
      forUses(b.i32(0), fetched, [&](Value use, Value step) {
        copySlabs(acquire(use), step, use);
      });
      waitForKernelBefore(b);
      letNextKernelBegin(b);
      forUses(b.i32(0), fetched, [&](Value use, Value step) {
        copyColumns(b.atByte(b.sharedMemory(0), b.mulI(use, spec.stageBytes())),
                    step, use);
      });
    }
    forUses(fetched, count, [&](Value use, Value step) {
      Value slot = acquire(use), k = b.mulI(step, spec.stageDepth());
      if (spec.a == Operand::kPacked)
        copySlabs(slot, step, use);
      else if (spec.a == Operand::kRows)
        copyRows(slot, k, row, use);
      else
        for (int64_t half = 0; half < 2; ++half)
          copyBox(args.a, b.addI(row, half * 64), k, slot, half * kBoxBytes,
                  use);
      copyColumns(slot, step, use);
    });
  }

  // A's box of a stage, or one of each weight.
  void copyRows(Value slot, Value k, Value row, Value use) {
    copyBox(args.a, k, row, slot, 0, use);
    if (spec.swiglu)
      copyBox(args.pairedA, k, row, slot, kBoxBytes, use);
  }

  // B's boxes of a stage; with sharers, this block's part of them, to all.
  void copyColumns(Value slot, Value step, Value use) {
    Value k = b.mulI(step, spec.stageDepth()),
          column = b.mulI(columnBlock, spec.tile);
    int64_t columns = spec.tile / spec.sharers,
            bytes = columns * 128; // of a part of 64 k
    Value part = spec.sharers > 1 ? b.atByte(slot, b.mulI(rank, bytes)) : slot;
    if (spec.sharers > 1)
      column = b.addI(column, b.mulI(rank, columns));
    auto copy = [&](Value inner, Value outer, int64_t offset) {
      auto multicast =
          spec.sharers > 1 ? b.getI64IntegerAttr(spec.sharers) : IntegerAttr();
      TensorCopyOp::create(b, args.b, ValueRange{inner, outer},
                           b.atByte(part, offset), ring, use, multicast);
    };
    for (int64_t block = 0; block < spec.stageDepth() / 64; ++block) {
      int64_t at = spec.aBytes() + block * spec.tile * 128;
      if (spec.b == Operand::kRows)
        copy(b.addI(k, block * 64), column, at);
      else
        for (int64_t box = 0; box < columns / 64; ++box)
          copy(b.addI(column, box * 64), k, at + box * kBoxBytes);
    }
  }

  // Slabs in a row of them.
  Value slabsOfRow() { return b.ceilDivI(args.k, numerics::kSlabColumns); }
  // Number of the slab of a step, in the first or second row of slabs of the
  // block, an i64. The last block of an odd number of slabs has no second one:
  // it takes the first again.
  Value slabOf(Value step, Value half) {
    Value slabRow = spec.swiglu ? rowBlock : b.addI(b.mulI(rowBlock, 2), half);
    slabRow =
        b.minI(slabRow, b.subI(b.ceilDivI(args.m, numerics::kSlabRows), 1));
    return b.place(
        slabRow, slabsOfRow(),
        b.divI(b.mulI(step, spec.stageDepth()), numerics::kSlabColumns));
  }
  // The scales of a slab stand behind all codes.
  Value scalesOf(Value weight, Value slab) {
    Value slabs =
        b.wide(b.mulI(b.ceilDivI(args.m, numerics::kSlabRows), slabsOfRow()));
    return b.atByte(weight, b.addI(b.mulI(slabs, numerics::kSlabBytes),
                                   b.mulI(slab, spec.scaleBytes())));
  }

  // Two slabs, or their halves, and their scales.
  void copySlabs(Value slot, Value step, Value use) {
    for (int64_t half = 0; half < 2; ++half) {
      Value weight = spec.swiglu && half == 1 ? args.pairedA : args.a;
      Value slab = slabOf(step, b.i32(half));
      auto copy = [&](Value source, int64_t to, int64_t bytes) {
        BulkCopyOp::create(b, source, b.atByte(slot, to), b.i32(bytes), ring,
                           use, /*once=*/spec.tile < 128);
      };
      Value codes = b.atByte(weight, b.mulI(slab, numerics::kSlabBytes));
      if (spec.codeBytes() < numerics::kSlabBytes)
        codes = b.atByte(codes, b.mulI(b.andI(step, 1), spec.codeBytes()));
      copy(codes, half * spec.codeBytes(), spec.codeBytes());
      copy(scalesOf(weight, slab),
           2 * spec.codeBytes() + half * spec.scaleBytes(), spec.scaleBytes());
    }
  }

  // First step of a split: in units of 128 columns, so that every kind of
  // operand is cut at the same places.
  Value splitBegin(Value split) {
    int64_t perUnit = 128 / spec.stageDepth();
    Value units = b.ceilDivI(args.k, 128);
    return b.minI(b.mulI(b.divI(b.mulI(split, units), spec.splits), perUnit),
                  steps);
  }

  ClusterExchange exchange() {
    return ClusterExchange(b, spec.ringBytes(), spec.exchangedBytes(),
                           spec.cluster(), spec.consumers());
  }

  // --- the consumers
  // ----------------------------------------------------------

  // Descriptor of B's tile in a slot; step s of 16 is at bStep(s) bytes.
  Value bDescriptor(Value slot) {
    Value tile = b.atByte(slot, spec.aBytes());
    return DescriptorOp::create(b, b.getI64Type(), tile,
                                spec.b == Operand::kRows ? 16 : kBoxBytes, 1024,
                                128);
  }
  int64_t bStep(int64_t s) const {
    return s / 4 * spec.tile * 128 +
           s % 4 * (spec.b == Operand::kRows ? 2 * kStep : 128 * kStep);
  }
  Value advance(Value descriptor, int64_t bytes) {
    return b.addI(descriptor, b.i64(bytes / 16));
  }

  Value multiply(Value a, Value bTile, Value sums) {
    auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
    return WgmmaOp::create(b, sums.getType(), a, bTile, sums,
                           flag(spec.a == Operand::kTransposed),
                           flag(spec.b == Operand::kTransposed));
  }
  void commit() { NVVM::WgmmaGroupSyncAlignedOp::create(b); }
  Value fence(Value sums) {
    return WgmmaFenceOp::create(b, sums.getType(), sums).getResult(0);
  }
  Value wait(int64_t pending, Value sums) {
    return WgmmaWaitOp::create(b, sums.getType(), b.getI64IntegerAttr(pending),
                               sums)
        .getResult(0);
  }

  // By every warp for itself: a warp that is ahead says nothing of what another
  // has read. Neither does the arrival of one lane say what the others have
  // read by ordinary loads (PTX ISA, "Memory Consistency Model"), so they must
  // have met (syncWarp) since. That stands before the matrix instructions: here
  // it would make ptxas run those one by one.
  void release(Value use) {
    b.ifThen(b.equal(b.lane(), 0),
             [&] { RingReleaseOp::create(b, ring, use); });
  }
  // The stage before this one of the stream has been read.
  void releaseBefore(Value use) {
    Value any = b.less(b.i32(spec.streams() - 1), use),
          before = b.subI(use, spec.streams());
    if (spec.sharers > 1)
      RingReleaseOp::create(b, ring, before, b.getI64IntegerAttr(spec.sharers),
                            any);
    else
      b.ifThen(any, [&] { release(before); });
  }

  Value stageOfTiles(Value use, Value slot, Value sums) {
    Value tile = b.atByte(slot, b.mulI(group, kWarpgroupRows * 128));
    Value a = DescriptorOp::create(b, b.getI64Type(), tile,
                                   spec.a == Operand::kRows ? 16 : kBoxBytes,
                                   1024, 128);
    Value bTile = bDescriptor(slot);
    sums = fence(sums);
    for (int64_t s = 0; s < spec.stageDepth() / kStep; ++s)
      sums = multiply(
          advance(a, s * (spec.a == Operand::kRows ? 2 * kStep : 128 * kStep)),
          advance(bTile, bStep(s)), sums);
    commit();
    sums = wait(1, sums);
    releaseBefore(use);
    return sums;
  }

  // By each warp for itself. Nearly all scales are small; a warp that has
  // another one takes longer for the stage.
  Value stageOfWarps(WarpProduct &product, Value use, Value slot, Value sums) {
    SlabFragments slab(b, spec, slot, use, group);
    Value small = slab.loadScales();
    sums = b.ifValue(
        small,
        [&] {
          return productOfWarp(product, slot, slab, /*small=*/true, sums);
        },
        [&] {
          return productOfWarp(product, slot, slab, /*small=*/false, sums);
        });
    b.syncWarp(); // all lanes have read codes and scales
    release(use);
    return sums;
  }

  // Of a copy of `slab`, since what it keeps is of one branch.
  Value productOfWarp(WarpProduct &product, Value slot, SlabFragments slab,
                      bool small, Value sums) {
    SmallVector<Value> columns;
    for (int64_t step = 0; step < 8; ++step) {
      Value fragment = slab.fragment(step, small);
      if (step % product.stepsOfLoad() == 0)
        columns = product.load(
            b.atByte(slot, spec.aBytes() + step / 4 * spec.tile * 128),
            step % 4);
      sums = product.multiply(fragment, columns, step, sums);
    }
    return sums;
  }

  // Two buffers of fragments: while the instructions of one run, the codes of
  // the other become bf16.
  Value stageOfSlabs(Value use, Value slot, bool small, Value sums) {
    SlabFragments slab(b, spec, slot, use, group);
    Value bTile = bDescriptor(slot);
    int64_t inBuffer = spec.stageDepth() / kStep / 2;
    for (int64_t first = 0; first < 2 * inBuffer; first += inBuffer) {
      // The instructions that read these registers last have ended.
      sums = wait(1, sums);
      if (first > 0)
        releaseBefore(use);
      SmallVector<Value> fragments;
      for (int64_t step = first; step < first + inBuffer; ++step)
        fragments.push_back(slab.fragment(step, small));
      if (first > 0)
        b.syncWarp(); // all lanes have read codes and scales of this stage; the
                      // next one releases it
      sums = fence(sums);
      for (int64_t i = 0; i < inBuffer; ++i)
        sums = multiply(fragments[i], advance(bTile, bStep(first + i)), sums);
      commit();
    }
    return sums;
  }

  Value areScalesSmall(Value consumer) {
    Value weight = spec.swiglu
                       ? b.select(b.equal(group, 0), args.a, args.pairedA)
                       : args.a;
    Value begin = scalesOf(weight, slabOf(b.i32(0), group));
    return scalesAreSmall(b, begin, b.mulI(slabsOfRow(), spec.scaleBytes()),
                          b.sharedMemory(spec.flagsAt()), consumer,
                          spec.consumers());
  }

  void consume() {
    Value consumer = b.subI(b.thread(), 128),
          warpgroup = b.uniform(b.divI(consumer, 128));
    group = spec.streams() > 1 ? b.andI(warpgroup, 1) : warpgroup;
    stream = spec.streams() > 1 ? b.shrI(warpgroup, 1) : b.i32(0);
    if (spec.result == Result::kAccumulate)
      return storeSums(sumOf(b.i32(0), steps, loadSums()));
    if (spec.choosesDecode())
      smallScales = areScalesSmall(consumer);
    Value zeros = b.zeros(spec.tile / 2);
    if (spec.sideBySide()) {
      Value split = b.addI(b.mulI(rank, spec.streams()), stream);
      return storeReduced(
          sumOf(b.i32(0),
                b.subI(splitBegin(b.addI(split, 1)), splitBegin(split)), zeros),
          split, consumer);
    }
    if (spec.splits == 1)
      return storeTokens(sumOf(b.i32(0), steps, zeros), consumer);
    storeTokens(sumOfSplits(consumer), consumer);
  }

  // One split after the other. What of the sums so far does not fit into
  // registers waits in shared memory, where each thread has its own place.
  Value sumOfSplits(Value consumer) {
    int64_t count = spec.tile / 2, kept = count - spec.totalsInShared();
    auto placeOf = [&](int64_t i) {
      return b.atByte(
          b.sharedMemory(spec.totalsAt() + (i - kept) * 4 * spec.consumers()),
          b.mulI(consumer, 16));
    };
    for (int64_t i = kept; i < count; i += 4)
      b.store(b.zeros(4), placeOf(i));
    SmallVector<Value> begin = {b.zeros(count)};
    if (kept < count)
      begin = {b.zeros(kept), b.zeros(count - kept)};
    auto totals = b.loop(
        b.i32(0), b.i32(spec.splits), b.i32(1), begin,
        [&](Value split, ValueRange carried) -> SmallVector<Value> {
          Value sums = sumOf(splitBegin(split), splitBegin(b.addI(split, 1)),
                             b.zeros(count));
          if (kept == count)
            return {b.add(carried[0], sums)};
          SmallVector<Value> inRegisters, waiting;
          for (int64_t i = 0; i < kept; ++i)
            inRegisters.push_back(
                b.add(b.extract(carried[0], i), b.extract(sums, i)));
          for (int64_t i = kept; i < count; i += 4) {
            Value four = b.load(placeOf(i), b.vectorOf(b.getF32Type(), 4));
            SmallVector<Value> added;
            for (int64_t j = 0; j < 4; ++j)
              added.push_back(
                  b.add(b.extract(four, j), b.extract(sums, i + j)));
            b.store(b.fromElements(added), placeOf(i));
            waiting.append(added);
          }
          return {b.fromElements(inRegisters), b.fromElements(waiting)};
        });
    if (kept == count)
      return totals[0];
    SmallVector<Value> all;
    for (int64_t i = 0; i < count; ++i)
      all.push_back(i < kept ? b.extract(totals[0], i)
                             : b.extract(totals[1], i - kept));
    return b.fromElements(all);
  }

  // The products of the stream's uses [first, end) of the ring, added to what
  // `sums` holds. A loop for small scales and one for others: a branch inside
  // of it would make ptxas run the matrix instructions one by one.
  Value sumOf(Value first, Value end, Value sums) {
    if (smallScales)
      return b.ifValue(
          smallScales, [&] { return sumOf(first, end, /*small=*/true, sums); },
          [&] { return sumOf(first, end, /*small=*/false, sums); });
    return sumOf(first, end, /*small=*/false, sums);
  }
  Value sumOf(Value first, Value end, bool small, Value sums) {
    std::optional<WarpProduct> product;
    if (spec.byWarps())
      product.emplace(b, spec.tile);
    // See `steps`: a loop that runs at least once, by the signed comparison
    // that loops are made of.
    Value count = arith::MaxSIOp::create(b, b.subI(end, first), b.i32(1));
    sums = b.loop(
        b.i32(0), count, b.i32(1), {sums},
        [&](Value i, ValueRange carried) -> SmallVector<Value> {
          Value use = b.addI(b.mulI(b.addI(first, i), spec.streams()), stream);
          Value slot = RingWaitOp::create(b, b.sharedPointer(), ring, use);
          return {product ? stageOfWarps(*product, use, slot, carried[0])
                  : spec.a == Operand::kPacked
                      ? stageOfSlabs(use, slot, small, carried[0])
                      : stageOfTiles(use, slot, carried[0])};
        })[0];
    if (!product)
      sums = wait(0, sums);
    if (spec.early) // for the residual, and for memory that the kernel before
                    // may have read
      waitForKernelBefore(b);
    return sums;
  }

  // Of the thread: column of the pair in each 8.
  Value pairColumn() { return b.mulI(b.remI(b.thread(), 4), 2); }

  // Visits the thread's pairs of c inside the matrix: index of the first of the
  // two sums, and its address.
  void forPairs(llvm::function_ref<void(int64_t, Value, Value)> body) {
    Value row = b.addI(
        b.addI(b.mulI(rowBlock, kBlockRows), b.mulI(group, kWarpgroupRows)),
        rowInGroup(b));
    Value column = b.addI(b.mulI(columnBlock, spec.tile), pairColumn());
    for (int64_t below = 0; below < 2; ++below)
      for (int64_t j = 0; j < spec.tile / 8; ++j) {
        Value r = b.addI(row, 8 * below), c = b.addI(column, 8 * j);
        body(4 * j + 2 * below, b.both(b.less(r, args.m), b.less(c, args.n)),
             b.at(args.result, b.getF32Type(), b.place(r, args.n, c)));
      }
  }

  Value loadSums() {
    SmallVector<Value> sums(spec.tile / 2);
    forPairs([&](int64_t i, Value inside, Value address) {
      Type pair = b.vectorOf(b.getF32Type(), 2);
      Value two = b.ifValue(
          inside, [&] { return b.load(address, pair); },
          [&] { return b.zeros(2); });
      sums[i] = b.extract(two, 0);
      sums[i + 1] = b.extract(two, 1);
    });
    return b.fromElements(sums);
  }

  void storeSums(Value sums) {
    forPairs([&](int64_t i, Value inside, Value address) {
      b.ifThen(inside, [&] {
        b.store(b.fromElements({b.extract(sums, i), b.extract(sums, i + 1)}),
                address);
      });
    });
  }

  // Through shared memory, where the ring was, so that rows of y are written 16
  // bytes at a time.
  void storeTokens(Value sums, Value consumer) {
    int64_t bytes = spec.element.getIntOrFloatBitWidth() / 8,
            width = 16 / bytes;
    int64_t stride =
        kBlockRows +
        width; // elements of a token; the padding spreads tokens over the banks
    Value staging = b.sharedMemory(0);
    b.barrier(
        kConsumerBarrier,
        spec.consumers()); // both warpgroups have read the ring to its end
    Value row = b.addI(b.mulI(group, kWarpgroupRows), rowInGroup(b));
    for (int64_t j = 0; j < spec.tile / 8; ++j)
      for (int64_t i = 0; i < 4; ++i) {
        Value token = b.addI(pairColumn(), 8 * j + i % 2);
        Value at = b.addI(b.mulI(token, stride), b.addI(row, 8 * (i / 2)));
        b.store(b.round(b.extract(sums, 4 * j + i), spec.element),
                b.at(staging, spec.element, at));
      }
    b.barrier(kConsumerBarrier, spec.consumers());
    int64_t perToken = rowsOfY() / width; // chunks
    Value firstRow = b.mulI(rowBlock, rowsOfY()),
          firstToken = b.mulI(columnBlock, spec.tile);
    b.loop(consumer, b.i32(spec.tile * perToken), spec.consumers(),
           [&](Value chunk) {
             Value token = b.divI(chunk, perToken),
                   inTile = b.mulI(b.remI(chunk, perToken), width);
             Value y = b.addI(firstToken, token), m = b.addI(firstRow, inTile);
             b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
               Value staged = b.at(staging, spec.element,
                                   b.addI(b.mulI(token, stride), inTile));
               if (spec.wholeRows)
                 return storeChunk(staged, y, m, width);
               for (int64_t i = 0; i < width; ++i) {
                 Value at = b.addI(m, i);
                 b.ifThen(b.less(at, args.m), [&] {
                   storeChunk(b.at(staged, spec.element, b.i32(i)), y, at, 1);
                 });
               }
             });
           });
  }

  // Each block of the cluster adds its part of the rows, in the order of the
  // splits: all send it their sums, [split, row, token].
  void storeReduced(Value sums, Value split, Value consumer) {
    int64_t rows = kBlockRows / spec.cluster(),
            part = rowsOfY() / spec.cluster(); // of sums and of y, of a block
    ClusterExchange exchange = this->exchange();
    exchange.waitForAll();
    auto placeOf = [&](Value split, Value row, Value token) {
      return b.mulI(
          b.addI(b.mulI(b.addI(b.mulI(split, rows), row), spec.tile), token),
          4);
    };
    Value owner[2], inPart[2];
    for (int64_t below = 0; below < 2; ++below)
      std::tie(owner[below], inPart[below]) =
          ownerOf(b.addI(rowInGroup(b), 8 * below), part);
    for (int64_t j = 0; j < spec.tile / 8; ++j)
      for (int64_t below = 0; below < 2; ++below) {
        int64_t i = 4 * j + 2 * below;
        exchange.send(
            owner[below],
            placeOf(split, inPart[below], b.addI(pairColumn(), 8 * j)),
            b.extract(sums, i), b.extract(sums, i + 1));
      }
    exchange.await();
    Value firstRow = b.addI(b.mulI(rowBlock, rowsOfY()), b.mulI(rank, part)),
          firstToken = b.mulI(columnBlock, spec.tile);
    b.loop(consumer, b.i32(spec.tile * part), spec.consumers(),
           [&](Value cell) {
             Value token = b.divI(cell, part), inPart = b.remI(cell, part);
             Value y = b.addI(firstToken, token), m = b.addI(firstRow, inPart);
             b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
               auto totalOf = [&](Value row) {
                 Value total = b.f32(0);
                 for (int64_t split = 0; split < spec.splits; ++split)
                   total = b.add(
                       total, exchange.load(placeOf(b.i32(split), row, token)));
                 return b.round(total, spec.element);
               };
               Value value = totalOf(inPart);
               finishChunk(spec.swiglu
                               ? paired(value, totalOf(b.addI(inPart, part)))
                               : value,
                           y, m, 1);
             });
           });
  }

  // Which block of the cluster finishes this row of the warpgroup, and where it
  // takes its sums: those of up behind those of gate. A block finishes 8 rows
  // or more, so that 8 neighbours go to one.
  std::pair<Value, Value> ownerOf(Value row, int64_t part) {
    if (!spec.swiglu)
      row = b.addI(b.mulI(group, kWarpgroupRows), row);
    Value owner = b.uniform(b.divI(row, part)), place = b.remI(row, part);
    return {owner, spec.swiglu ? b.addI(place, b.mulI(group, part)) : place};
  }

  void storeChunk(Value staged, Value token, Value m, int64_t width) {
    Type type =
        width == 1 ? spec.element : Type(b.vectorOf(spec.element, width));
    Value value = b.load(staged, type);
    if (spec.swiglu) // the other warpgroup's rows of the same token
      value = paired(
          value,
          b.load(b.at(staged, spec.element, b.i32(kWarpgroupRows)), type));
    finishChunk(value, token, m, width);
  }

  // Of the rounded sums, as the ops one after another.
  Value paired(Value gate, Value up) {
    return b.round(swiglu(b, b.widen(gate), b.widen(up), spec.element),
                   spec.element);
  }

  // Bias and residual, and to memory.
  void finishChunk(Value value, Value token, Value m, int64_t width) {
    Type type = value.getType();
    if (args.bias)
      value = b.round(
          b.add(b.widen(value),
                b.widen(b.load(b.at(args.bias, spec.element, m), type))),
          spec.element);
    Value place = b.place(token, args.m, m);
    if (args.residual)
      value =
          b.round(b.add(b.widen(value),
                        b.widen(b.load(b.at(args.residual, spec.element, place),
                                       type))),
                  spec.element);
    b.store(value, b.at(args.result, spec.element, place));
  }

  Emitter &b;
  const MatrixSpec &spec;
  const MatrixArguments &args;
  RingType ringType;
  Value ring, steps;
  Value group,
      stream; // of a consumer: which 64 rows, which of the block's splits
  Value smallScales; // of a consumer, i1: those of the block's rows all are;
                     // null where that is not asked
  Value columnBlock;
  Value rowBlock, rank; // rank: of the block in its cluster
};

} // namespace

void launchMatrix(Kernel &kernel, const MatrixSpec &spec,
                  const MatrixArguments &arguments, Value columnBlocks) {
  LaunchSpec launch;
  launch.key = spec.key();
  launch.threads = 128 + spec.consumers();
  launch.sharedBytes = spec.sharedBytes();
  launch.cluster = spec.cluster();
  launch.blocksPerSM = spec.blocksPerSM();
  launch.fetchesEarly = spec.early;
  // Blocks of rows that fill the last cluster have no rows.
  int64_t rowsOfBlock = spec.swiglu ? kWarpgroupRows : kBlockRows;
  Value rowBlocks = kernel.ceilDiv(arguments.m, rowsOfBlock * spec.sharers);
  launch.grid = {kernel.mul(rowBlocks, kernel.index(launch.cluster)),
                 columnBlocks};
  launch.arguments = {arguments.a, arguments.b, arguments.result,
                      arguments.m, arguments.n, arguments.k};
  if (arguments.bias)
    launch.arguments.push_back(arguments.bias);
  if (arguments.residual)
    launch.arguments.push_back(arguments.residual);
  if (arguments.pairedA)
    launch.arguments.push_back(arguments.pairedA);
  Value products =
      kernel.mul(arguments.m, kernel.mul(arguments.n, arguments.k));
  launch.operations = kernel.mul(kernel.index(spec.swiglu ? 4 : 2), products);
  Builder b(kernel.op.getContext());
  launch.report = b.getDictionaryAttr({
      b.getNamedAttr("splits", b.getI64IntegerAttr(spec.splits)),
      b.getNamedAttr("stages", b.getI64IntegerAttr(spec.stages())),
      b.getNamedAttr("tile",
                     b.getStringAttr(std::to_string(kBlockRows) + "x" +
                                     std::to_string(spec.tile) + "x" +
                                     std::to_string(spec.stageDepth()))),
  });
  kernel.launch(launch, [&](Emitter &e, ValueRange values) {
    MatrixArguments inside{values[0], {},        values[1], values[2], {},
                           {},        values[3], values[4], values[5]};
    unsigned next = 6;
    if (arguments.bias)
      inside.bias = values[next++];
    if (arguments.residual)
      inside.residual = values[next++];
    if (arguments.pairedA)
      inside.pairedA = values[next++];
    Matrix(e, spec, inside).write();
  });
}

} // namespace nibble::hopper
