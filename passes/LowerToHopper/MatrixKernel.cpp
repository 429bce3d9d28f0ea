#include "passes/LowerToHopper/MatrixKernel.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToHopper/ClusterExchange.h"
#include "passes/LowerToHopper/InlineAssembly.h"
#include "passes/LowerToHopper/Swiglu.h"
#include "passes/LowerToHopper/WarpProduct.h"

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
        ringType(RingType::get(b.getContext(), spec.stages(), spec.stageBytes(), kWarpsOfUse * spec.sharers)) {}

  void write() {
    ring = RingOp::create(b, ringType, 0);
    rank = spec.cluster() > 1 ? b.remI(b.block(0), spec.cluster()) : b.i32(0);
    rowBlock = spec.sideBySide() && spec.cluster() > 1 ? b.divI(b.block(0), spec.cluster()) : b.block(0);
    columnBlock = b.block(1);
    if (spec.tile == 128)
      takeTurns();
    // At least one, which the compiler can see: ptxas runs matrix instructions one by one where a path goes around
    // them.
    steps = b.maxI(b.ceilDivI(args.k, spec.stageDepth()), b.i32(1));
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
    // setmaxnreg moves registers between the warps of a block, which has what it was launched with.
    int64_t threads = 128 + spec.consumers(), launched = 65536 / spec.blocksPerSM() / threads / 8 * 8;
    int64_t producer = spec.blocksPerSM() * spec.streams() > 1 ? 24 : 40;
    int64_t consumer = (launched * threads - producer * 128) / spec.consumers() / 8 * 8;
    auto roles = RolesOp::create(b, producer, consumer);
    b.writeRegion(roles.getProducer(), [&] { produce(); });
    b.writeRegion(roles.getConsumers(), [&] { consume(); });
    if (spec.sharers > 1)
      meetSharers();
  }

private:
  // Rows of the result that a block makes: with two weights half of those that it multiplies.
  int64_t rowsOfY() const { return spec.swiglu ? kWarpgroupRows : kBlockRows; }

  // Blocks that run side by side are a rectangle of the result, so that they share what they read: eight blocks of
  // columns, one row of blocks (of a cluster) after the other.
  void takeTurns() {
    constexpr int64_t kColumns = 8;
    Value rows = b.ceilDivI(args.m, rowsOfY() * spec.sharers), columns = b.ceilDivI(args.n, spec.tile);
    Value number = b.addI(b.mulI(b.block(1), rows), b.divI(b.block(0), spec.sharers));
    Value first = b.mulI(b.divI(number, b.mulI(rows, kColumns)), kColumns),
          inGroup = b.remI(number, b.mulI(rows, kColumns));
    Value width = b.minI(b.subI(columns, first), b.i32(kColumns));
    rowBlock = b.addI(b.mulI(b.divI(inGroup, width), spec.sharers), rank);
    columnBlock = b.addI(first, b.remI(inGroup, width));
  }

  // Nobody reaches into another block before its barriers are there, or after it has ended.
  void meetSharers() {
    NVVM::ClusterArriveOp::create(b, b.getUnitAttr());
    NVVM::ClusterWaitOp::create(b, b.getUnitAttr());
  }

  // --- the producer -----------------------------------------------------------

  void copyBox(Value map, Value inner, Value outer, Value slot, int64_t offset, Value use) {
    TensorCopyOp::create(b, map, ValueRange{inner, outer}, b.atByte(slot, offset), ring, use);
  }

  void produce() {
    Value row = b.mulI(rowBlock, rowsOfY());
    int64_t bytes = spec.bBytes() + (spec.a == Operand::kPacked ? 2 * (numerics::kSlabBytes + spec.scaleBytes())
                                                                : kBlockRows * spec.stageDepth() * 2);
    auto acquire = [&](Value use) -> Value {
      return RingAcquireOp::create(b, b.sharedPointer(), ring, use, b.i32(bytes));
    };
    // Streams take turns; where one has a step more than the other, its last use is the last but one, or the last.
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
    auto forUses = [&](Value from, Value to, llvm::function_ref<void(Value, Value)> body) {
      b.loop(from, to, 1, [&](Value use) {
        if (streams == 1)
          return body(use, b.addI(begins[0], use));
        Value first = b.equal(b.andI(use, 1), 0);
        Value step = b.addI(b.select(first, begins[0], begins[1]), b.shrI(use, 1));
        b.ifThen(b.less(step, b.select(first, ends[0], ends[1])), [&] { body(use, step); });
      });
    };
    Value fetched = b.i32(0);
    if (spec.early) {
      // The first round of the ring: weights, then, when the kernel before has ended, what it made.
      fetched = b.minI(count, b.i32(spec.stages()));
      forUses(b.i32(0), fetched, [&](Value use, Value step) { copySlabs(acquire(use), step, use); });
      waitForKernelBefore(b);
      letNextKernelBegin(b);
      forUses(b.i32(0), fetched, [&](Value use, Value step) {
        copyColumns(b.atByte(b.sharedMemory(0), b.mulI(use, spec.stageBytes())), step, use);
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
          copyBox(args.a, b.addI(row, half * 64), k, slot, half * kBoxBytes, use);
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
    Value k = b.mulI(step, spec.stageDepth()), column = b.mulI(columnBlock, spec.tile);
    int64_t columns = spec.tile / spec.sharers, bytes = columns * 128; // of a part of 64 k
    Value part = spec.sharers > 1 ? b.atByte(slot, b.mulI(rank, bytes)) : slot;
    if (spec.sharers > 1)
      column = b.addI(column, b.mulI(rank, columns));
    auto copy = [&](Value inner, Value outer, int64_t offset) {
      auto multicast = spec.sharers > 1 ? b.getI64IntegerAttr(spec.sharers) : IntegerAttr();
      TensorCopyOp::create(b, args.b, ValueRange{inner, outer}, b.atByte(part, offset), ring, use, multicast);
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

  // Two slabs and their scales. The last block of an odd number of slabs has no second one: it takes the first again.
  void copySlabs(Value slot, Value step, Value use) {
    Value slabRows = b.ceilDivI(args.m, numerics::kSlabRows);
    Value slabs = b.wide(b.mulI(slabRows, steps));
    for (int64_t half = 0; half < 2; ++half) {
      Value weight = spec.swiglu && half == 1 ? args.pairedA : args.a;
      Value scales = b.atByte(weight, b.mulI(slabs, numerics::kSlabBytes));
      Value slabRow = spec.swiglu ? rowBlock : b.addI(b.mulI(rowBlock, 2), half);
      slabRow = b.minI(slabRow, b.subI(slabRows, 1));
      Value slab = b.place(slabRow, steps, step);
      BulkCopyOp::create(b, b.atByte(weight, b.mulI(slab, numerics::kSlabBytes)),
                         b.atByte(slot, half * numerics::kSlabBytes), b.i32(numerics::kSlabBytes), ring, use,
                         /*once=*/spec.tile < 128);
      BulkCopyOp::create(b, b.atByte(scales, b.mulI(slab, spec.scaleBytes())),
                         b.atByte(slot, 2 * numerics::kSlabBytes + half * spec.scaleBytes()), b.i32(spec.scaleBytes()),
                         ring, use, /*once=*/spec.tile < 128);
    }
  }

  // First step of a split: in units of 128 columns, so that every kind of operand is cut at the same places.
  Value splitBegin(Value split) {
    int64_t perUnit = 128 / spec.stageDepth();
    Value units = b.ceilDivI(args.k, 128);
    return b.minI(b.mulI(b.divI(b.mulI(split, units), spec.splits), perUnit), steps);
  }

  ClusterExchange exchange() {
    return ClusterExchange(b, spec.ringBytes(), spec.exchangedBytes(), spec.cluster(), spec.consumers());
  }

  // --- the consumers ----------------------------------------------------------

  // Descriptor of B's tile in a slot; step s of 16 is at bStep(s) bytes.
  Value bDescriptor(Value slot) {
    Value tile = b.atByte(slot, spec.aBytes());
    return DescriptorOp::create(b, b.getI64Type(), tile, spec.b == Operand::kRows ? 16 : kBoxBytes, 1024, 128);
  }
  int64_t bStep(int64_t s) const {
    return s / 4 * spec.tile * 128 + s % 4 * (spec.b == Operand::kRows ? 2 * kStep : 128 * kStep);
  }
  Value advance(Value descriptor, int64_t bytes) { return b.addI(descriptor, b.i64(bytes / 16)); }

  Value multiply(Value a, Value bTile, Value sums) {
    auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
    return WgmmaOp::create(b, sums.getType(), a, bTile, sums, flag(spec.a == Operand::kTransposed),
                           flag(spec.b == Operand::kTransposed));
  }
  void commit() { NVVM::WgmmaGroupSyncAlignedOp::create(b); }
  Value fence(Value sums) { return WgmmaFenceOp::create(b, sums.getType(), sums).getResult(0); }
  Value wait(int64_t pending, Value sums) {
    return WgmmaWaitOp::create(b, sums.getType(), b.getI64IntegerAttr(pending), sums).getResult(0);
  }

  // By every warp for itself: a warp that is ahead says nothing of what another has read. Its lanes have come together
  // at the last matrix instruction; another meeting here would make ptxas run those one by one.
  void release(Value use) {
    b.ifThen(b.equal(b.lane(), 0), [&] { RingReleaseOp::create(b, ring, use); });
  }
  // The stage before this one of the stream has been read.
  void releaseBefore(Value use) {
    Value any = b.less(b.i32(spec.streams() - 1), use), before = b.subI(use, spec.streams());
    if (spec.sharers > 1)
      RingReleaseOp::create(b, ring, before, b.getI64IntegerAttr(spec.sharers), any);
    else
      b.ifThen(any, [&] { release(before); });
  }

  Value stageOfTiles(Value use, Value slot, Value sums) {
    Value tile = b.atByte(slot, b.mulI(group, kWarpgroupRows * 128));
    Value a = DescriptorOp::create(b, b.getI64Type(), tile, spec.a == Operand::kRows ? 16 : kBoxBytes, 1024, 128);
    Value bTile = bDescriptor(slot);
    sums = fence(sums);
    for (int64_t s = 0; s < spec.stageDepth() / kStep; ++s)
      sums = multiply(advance(a, s * (spec.a == Operand::kRows ? 2 * kStep : 128 * kStep)), advance(bTile, bStep(s)),
                      sums);
    commit();
    sums = wait(1, sums);
    releaseBefore(use);
    return sums;
  }

  // Codes and scales of this thread's rows in a stage.
  struct Slab {
    Value codes, scales;
  };
  Slab slabOf(Value slot) {
    Value thread = b.remI(b.thread(), 128);
    Value codes = b.atByte(slot, b.addI(b.mulI(group, numerics::kSlabBytes), b.mulI(thread, 16)));
    Value scales =
        b.atByte(slot, b.addI(b.addI(b.mulI(group, spec.scaleBytes()), b.mulI(rowInGroup(), 2 * spec.scalesPerSlabRow)),
                              2 * numerics::kSlabBytes));
    return {codes, scales};
  }
  Value codesOf(const Slab &slab, int64_t half) {
    return b.load(b.atByte(slab.codes, half * 2048), b.vectorOf(b.getI32Type(), 4));
  }
  // The bf16 fragment of a step of 16; low and high are the scales of the step before.
  Value fragmentOf(const Slab &slab, Value words, int64_t step, Value &low, Value &high) {
    int64_t stepsPerScale = 8 / spec.scalesPerSlabRow;
    if (step % stepsPerScale == 0) {
      low = scale(slab.scales, step / stepsPerScale);
      high = scale(slab.scales, step / stepsPerScale + 8 * spec.scalesPerSlabRow);
    }
    return DequantizeOp::create(b, b.vectorOf(b.getI32Type(), 4), b.extract(words, step % 4), low, high);
  }

  // By each warp for itself. Nearly all scales are small; a warp that has another one takes longer for the stage.
  Value stageOfWarps(WarpProduct &product, Value use, Value slot, Value sums) {
    Slab slab = slabOf(slot);
    SmallVector<Value> scales; // of the upper row, then of the lower
    Value largest;
    for (int64_t i = 0; i < 2 * spec.scalesPerSlabRow; ++i) {
      int64_t at = i < spec.scalesPerSlabRow ? i : i + 7 * spec.scalesPerSlabRow;
      Value bits = arith::ExtUIOp::create(b, b.getI32Type(), b.load(b.atByte(slab.scales, 2 * at), b.getI16Type()));
      Value less = b.subI(bits, 1); // 0 becomes the largest
      largest = largest ? b.maxI(largest, less) : less;
      scales.push_back(b.mulI(bits, 0x00010001));
    }
    Value small =
        NVVM::VoteSyncOp::create(b, b.getI1Type(), b.i32(-1), b.less(largest, 0x3D00 - 1), NVVM::VoteSyncKind::all);
    sums = b.ifValue(
        small, [&] { return productOfWarp(product, slot, slab, scales, /*small=*/true, sums); },
        [&] { return productOfWarp(product, slot, slab, scales, /*small=*/false, sums); });
    release(use);
    return sums;
  }

  // `scales`: those of the upper row, then of the lower, each twice in a register.
  Value productOfWarp(WarpProduct &product, Value slot, const Slab &slab, ArrayRef<Value> scales, bool small,
                      Value sums) {
    int64_t perRow = spec.scalesPerSlabRow;
    auto times = [&](Value x, int64_t bits) {
      return emitValue(b, "mul.rn.bf16x2 $0, $1, $2;", b.getI32Type(), {x, b.i32(bits)});
    };
    Value words, low, high, minusLow, minusHigh;
    SmallVector<Value> columns;
    for (int64_t step = 0; step < 8; ++step) {
      if (step % 4 == 0)
        words = codesOf(slab, step / 4);
      if (step * perRow % 8 == 0) {
        low = scales[step * perRow / 8];
        high = scales[step * perRow / 8 + perRow];
        if (small) {
          minusLow = times(low, 0xC100C100); // -8
          minusHigh = times(high, 0xC100C100);
          low = times(times(low, 0x7F007F00), 0x42804280);   // 2^127, 2^6
          high = times(times(high, 0x7F007F00), 0x40804080); // 2^127, 2^2
        }
      }
      if (step % product.stepsOfLoad() == 0)
        columns = product.load(b.atByte(slot, spec.aBytes() + step / 4 * spec.tile * 128), step % 4);
      Value codes = b.extract(words, step % 4);
      Type four = b.vectorOf(b.getI32Type(), 4);
      Value fragment = small ? Value(DequantizeSmallOp::create(b, four, codes, low, minusLow, high, minusHigh))
                             : Value(DequantizeOp::create(b, four, codes, low, high));
      sums = product.multiply(fragment, columns, step, sums);
    }
    return sums;
  }

  // Two buffers of four fragments: while the instructions of one run, the codes of the other become bf16.
  Value stageOfSlabs(Value use, Value slot, Value sums) {
    Slab slab = slabOf(slot);
    Value bTile = bDescriptor(slot);
    Value low, high;
    for (int64_t half = 0; half < 2; ++half) {
      Value words = codesOf(slab, half);
      // The instructions that read these registers last have ended.
      sums = wait(1, sums);
      if (half == 1)
        releaseBefore(use);
      SmallVector<Value> fragments;
      for (int64_t s = 0; s < 4; ++s)
        fragments.push_back(fragmentOf(slab, words, 4 * half + s, low, high));
      sums = fence(sums);
      for (int64_t s = 0; s < 4; ++s)
        sums = multiply(fragments[s], advance(bTile, bStep(4 * half + s)), sums);
      commit();
    }
    return sums;
  }
  Value scale(Value scales, int64_t i) {
    Value bits = arith::ExtUIOp::create(b, b.getI32Type(), b.load(b.atByte(scales, 2 * i), b.getI16Type()));
    return b.orI(bits, b.shlI(bits, 16));
  }

  void consume() {
    Value consumer = b.subI(b.thread(), 128), warpgroup = b.uniform(b.divI(consumer, 128));
    group = spec.streams() > 1 ? b.andI(warpgroup, 1) : warpgroup;
    stream = spec.streams() > 1 ? b.shrI(warpgroup, 1) : b.i32(0);
    if (spec.result == Result::kAccumulate)
      return storeSums(sumOf(b.i32(0), steps, loadSums()));
    Value zeros = b.zeros(spec.tile / 2);
    if (spec.sideBySide()) {
      Value split = b.addI(b.mulI(rank, spec.streams()), stream);
      return storeReduced(sumOf(b.i32(0), b.subI(splitBegin(b.addI(split, 1)), splitBegin(split)), zeros), split,
                          consumer);
    }
    if (spec.splits == 1)
      return storeTokens(sumOf(b.i32(0), steps, zeros), consumer);
    Value total = zeros;
    total = b.loop(b.i32(0), b.i32(spec.splits), b.i32(1), {total},
                   [&](Value split, ValueRange carried) -> SmallVector<Value> {
                     Value sums = sumOf(splitBegin(split), splitBegin(b.addI(split, 1)), b.zeros(spec.tile / 2));
                     return {b.add(carried[0], sums)};
                   })[0];
    storeTokens(total, consumer);
  }

  // The products of the stream's uses [first, end) of the ring, added to what `sums` holds.
  Value sumOf(Value first, Value end, Value sums) {
    std::optional<WarpProduct> product;
    if (spec.byWarps())
      product.emplace(b, spec.tile);
    // See `steps`: a loop that runs at least once, by the signed comparison that loops are made of.
    Value count = arith::MaxSIOp::create(b, b.subI(end, first), b.i32(1));
    sums = b.loop(b.i32(0), count, b.i32(1), {sums}, [&](Value i, ValueRange carried) -> SmallVector<Value> {
      Value use = b.addI(b.mulI(b.addI(first, i), spec.streams()), stream);
      Value slot = RingWaitOp::create(b, b.sharedPointer(), ring, use);
      return {product                      ? stageOfWarps(*product, use, slot, carried[0])
              : spec.a == Operand::kPacked ? stageOfSlabs(use, slot, carried[0])
                                           : stageOfTiles(use, slot, carried[0])};
    })[0];
    if (!product)
      sums = wait(0, sums);
    if (spec.early) // for the residual, and for memory that the kernel before may have read
      waitForKernelBefore(b);
    return sums;
  }

  // Of the thread: row of D in its 64 (and 8 below), column of the pair in each 8.
  Value rowInGroup() {
    Value thread = b.remI(b.thread(), 128);
    return b.addI(b.mulI(b.divI(thread, 32), 16), b.divI(b.remI(thread, 32), 4));
  }
  Value pairColumn() { return b.mulI(b.remI(b.thread(), 4), 2); }

  // Visits the thread's pairs of c inside the matrix: index of the first of the two sums, and its address.
  void forPairs(llvm::function_ref<void(int64_t, Value, Value)> body) {
    Value row = b.addI(b.addI(b.mulI(rowBlock, kBlockRows), b.mulI(group, kWarpgroupRows)), rowInGroup());
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
      Value two = b.ifValue(inside, [&] { return b.load(address, pair); }, [&] { return b.zeros(2); });
      sums[i] = b.extract(two, 0);
      sums[i + 1] = b.extract(two, 1);
    });
    return b.fromElements(sums);
  }

  void storeSums(Value sums) {
    forPairs([&](int64_t i, Value inside, Value address) {
      b.ifThen(inside, [&] { b.store(b.fromElements({b.extract(sums, i), b.extract(sums, i + 1)}), address); });
    });
  }

  // Through shared memory, where the ring was, so that rows of y are written 16 bytes at a time.
  void storeTokens(Value sums, Value consumer) {
    int64_t bytes = spec.element.getIntOrFloatBitWidth() / 8, width = 16 / bytes;
    int64_t stride = kBlockRows + width; // elements of a token; the padding spreads tokens over the banks
    Value staging = b.sharedMemory(0);
    b.barrier(kConsumerBarrier, spec.consumers()); // both warpgroups have read the ring to its end
    Value row = b.addI(b.mulI(group, kWarpgroupRows), rowInGroup());
    for (int64_t j = 0; j < spec.tile / 8; ++j)
      for (int64_t i = 0; i < 4; ++i) {
        Value token = b.addI(pairColumn(), 8 * j + i % 2);
        Value at = b.addI(b.mulI(token, stride), b.addI(row, 8 * (i / 2)));
        b.store(b.round(b.extract(sums, 4 * j + i), spec.element), b.at(staging, spec.element, at));
      }
    b.barrier(kConsumerBarrier, spec.consumers());
    int64_t perToken = rowsOfY() / width; // chunks
    Value firstRow = b.mulI(rowBlock, rowsOfY()), firstToken = b.mulI(columnBlock, spec.tile);
    b.loop(consumer, b.i32(spec.tile * perToken), spec.consumers(), [&](Value chunk) {
      Value token = b.divI(chunk, perToken), inTile = b.mulI(b.remI(chunk, perToken), width);
      Value y = b.addI(firstToken, token), m = b.addI(firstRow, inTile);
      b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
        Value staged = b.at(staging, spec.element, b.addI(b.mulI(token, stride), inTile));
        if (spec.wholeRows)
          return storeChunk(staged, y, m, width);
        for (int64_t i = 0; i < width; ++i) {
          Value at = b.addI(m, i);
          b.ifThen(b.less(at, args.m), [&] { storeChunk(b.at(staged, spec.element, b.i32(i)), y, at, 1); });
        }
      });
    });
  }

  // Each block of the cluster adds its part of the rows, in the order of the splits: all send it their sums, [split,
  // row, token].
  void storeReduced(Value sums, Value split, Value consumer) {
    int64_t rows = kBlockRows / spec.cluster(), part = rowsOfY() / spec.cluster(); // of sums and of y, of a block
    ClusterExchange exchange = this->exchange();
    exchange.waitForAll();
    auto placeOf = [&](Value split, Value row, Value token) {
      return b.mulI(b.addI(b.mulI(b.addI(b.mulI(split, rows), row), spec.tile), token), 4);
    };
    Value owner[2], inPart[2];
    for (int64_t below = 0; below < 2; ++below)
      std::tie(owner[below], inPart[below]) = ownerOf(b.addI(rowInGroup(), 8 * below), part);
    for (int64_t j = 0; j < spec.tile / 8; ++j)
      for (int64_t below = 0; below < 2; ++below) {
        int64_t i = 4 * j + 2 * below;
        exchange.send(owner[below], placeOf(split, inPart[below], b.addI(pairColumn(), 8 * j)), b.extract(sums, i),
                      b.extract(sums, i + 1));
      }
    exchange.await();
    Value firstRow = b.addI(b.mulI(rowBlock, rowsOfY()), b.mulI(rank, part)),
          firstToken = b.mulI(columnBlock, spec.tile);
    b.loop(consumer, b.i32(spec.tile * part), spec.consumers(), [&](Value cell) {
      Value token = b.divI(cell, part), inPart = b.remI(cell, part);
      Value y = b.addI(firstToken, token), m = b.addI(firstRow, inPart);
      b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
        auto totalOf = [&](Value row) {
          Value total = b.f32(0);
          for (int64_t split = 0; split < spec.splits; ++split)
            total = b.add(total, exchange.load(placeOf(b.i32(split), row, token)));
          return b.round(total, spec.element);
        };
        Value value = totalOf(inPart);
        finishChunk(spec.swiglu ? paired(value, totalOf(b.addI(inPart, part))) : value, y, m, 1);
      });
    });
  }

  // Which block of the cluster finishes this row of the warpgroup, and where it takes its sums: those of up behind
  // those of gate. A block finishes 8 rows or more, so that 8 neighbours go to one.
  std::pair<Value, Value> ownerOf(Value row, int64_t part) {
    if (!spec.swiglu)
      row = b.addI(b.mulI(group, kWarpgroupRows), row);
    Value owner = b.uniform(b.divI(row, part)), place = b.remI(row, part);
    return {owner, spec.swiglu ? b.addI(place, b.mulI(group, part)) : place};
  }

  void storeChunk(Value staged, Value token, Value m, int64_t width) {
    Type type = width == 1 ? spec.element : Type(b.vectorOf(spec.element, width));
    Value value = b.load(staged, type);
    if (spec.swiglu) // the other warpgroup's rows of the same token
      value = paired(value, b.load(b.at(staged, spec.element, b.i32(kWarpgroupRows)), type));
    finishChunk(value, token, m, width);
  }

  // Of the rounded sums, as the ops one after another.
  Value paired(Value gate, Value up) {
    return b.round(swiglu(b, b.widen(gate), b.widen(up), spec.element), spec.element);
  }

  // Bias and residual, and to memory.
  void finishChunk(Value value, Value token, Value m, int64_t width) {
    Type type = value.getType();
    if (args.bias)
      value = b.round(b.add(b.widen(value), b.widen(b.load(b.at(args.bias, spec.element, m), type))), spec.element);
    Value place = b.place(token, args.m, m);
    if (args.residual)
      value =
          b.round(b.add(b.widen(value), b.widen(b.load(b.at(args.residual, spec.element, place), type))), spec.element);
    b.store(value, b.at(args.result, spec.element, place));
  }

  Emitter &b;
  const MatrixSpec &spec;
  const MatrixArguments &args;
  RingType ringType;
  Value ring, steps;
  Value group, stream; // of a consumer: which 64 rows, which of the block's splits
  Value columnBlock;
  Value rowBlock, rank; // rank: of the block in its cluster
};

} // namespace

void launchMatrix(Kernel &kernel, const MatrixSpec &spec, const MatrixArguments &arguments, Value columnBlocks) {
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
  launch.grid = {kernel.mul(rowBlocks, kernel.index(launch.cluster)), columnBlocks};
  launch.arguments = {arguments.a, arguments.b, arguments.result, arguments.m, arguments.n, arguments.k};
  if (arguments.bias)
    launch.arguments.push_back(arguments.bias);
  if (arguments.residual)
    launch.arguments.push_back(arguments.residual);
  if (arguments.pairedA)
    launch.arguments.push_back(arguments.pairedA);
  Value products = kernel.mul(arguments.m, kernel.mul(arguments.n, arguments.k));
  launch.operations = kernel.mul(kernel.index(spec.swiglu ? 4 : 2), products);
  Builder b(kernel.op.getContext());
  launch.report = b.getDictionaryAttr({
      b.getNamedAttr("splits", b.getI64IntegerAttr(spec.splits)),
      b.getNamedAttr("stages", b.getI64IntegerAttr(spec.stages())),
      b.getNamedAttr("tile", b.getStringAttr(std::to_string(kBlockRows) + "x" + std::to_string(spec.tile) + "x" +
                                             std::to_string(spec.stageDepth()))),
  });
  kernel.launch(launch, [&](Emitter &e, ValueRange values) {
    MatrixArguments inside{values[0], {}, values[1], values[2], {}, {}, values[3], values[4], values[5]};
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
