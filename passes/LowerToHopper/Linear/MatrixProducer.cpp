// The copies of a matrix kernel's producer.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::copyBox(Value map, Value inner, Value outer, Value slot,
                     int64_t offset, Value use) {
  TensorCopyOp::create(b, map, ValueRange{inner, outer}, b.atByte(slot, offset),
                       ring, use);
}

void Matrix::produce() {
  Value row = b.mulI(rowBlock, rowsOfY());
  int64_t bytes =
      spec.bBytes() + (spec.a == Operand::kPacked
                           ? 2 * (spec.codeBytes() + spec.scaleBytes())
                           : kBlockRows * spec.stageDepth() * 2);
  auto acquire = [&](Value use) -> Value {
    return RingAcquireOp::create(b, b.sharedPointer(), ring, use, b.i32(bytes));
  };
  // Streams take turns. If one has a step more than the other, its last use is
  // the last or the last but one.
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
    // The first round of the ring: weights first, then, once the previous
    // kernel has ended, its results.
    fetched = b.minI(count, b.i32(spec.stages()));
    forUses(b.i32(0), fetched,
            [&](Value use, Value step) { copySlabs(acquire(use), step, use); });
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
        copyBox(args.a, b.addI(row, half * 64), k, slot, half * kBoxBytes, use);
    copyColumns(slot, step, use);
  });
}

void Matrix::copyRows(Value slot, Value k, Value row, Value use) {
  copyBox(args.a, k, row, slot, 0, use);
  if (spec.swiglu)
    copyBox(args.pairedA, k, row, slot, kBoxBytes, use);
}

void Matrix::copyColumns(Value slot, Value step, Value use) {
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

Value Matrix::slabOf(Value step, Value half) {
  Value slabRow = spec.swiglu ? rowBlock : b.addI(b.mulI(rowBlock, 2), half);
  slabRow = b.minI(slabRow, b.subI(b.ceilDivI(args.m, numerics::kSlabRows), 1));
  return b.place(
      slabRow, slabsOfRow(),
      b.divI(b.mulI(step, spec.stageDepth()), numerics::kSlabColumns));
}

Value Matrix::scalesOf(Value weight, Value slab) {
  Value slabs =
      b.wide(b.mulI(b.ceilDivI(args.m, numerics::kSlabRows), slabsOfRow()));
  return b.atByte(weight, b.addI(b.mulI(slabs, numerics::kSlabBytes),
                                 b.mulI(slab, spec.scaleBytes())));
}

void Matrix::copySlabs(Value slot, Value step, Value use) {
  for (int64_t half = 0; half < 2; ++half) {
    Value weight = spec.swiglu && half == 1 ? args.pairedA : args.a;
    Value slab = slabOf(step, b.i32(half));
    auto copy = [&](Value source, int64_t to, int64_t bytes) {
      BulkCopyOp::create(b, source, b.atByte(slot, to), b.i32(bytes), ring, use,
                         /*once=*/spec.tile < 128);
    };
    Value codes = b.atByte(weight, b.mulI(slab, numerics::kSlabBytes));
    if (spec.codeBytes() < numerics::kSlabBytes)
      codes = b.atByte(codes, b.mulI(b.andI(step, 1), spec.codeBytes()));
    copy(codes, half * spec.codeBytes(), spec.codeBytes());
    copy(scalesOf(weight, slab),
         2 * spec.codeBytes() + half * spec.scaleBytes(), spec.scaleBytes());
  }
}

Value Matrix::splitBegin(Value split) {
  int64_t perUnit = 128 / spec.stageDepth();
  Value units = b.ceilDivI(args.k, 128);
  return b.minI(b.mulI(b.divI(b.mulI(split, units), spec.splits), perUnit),
                steps);
}

ClusterExchange Matrix::exchange() {
  return ClusterExchange(b, spec.ringBytes(), spec.exchangedBytes(),
                         spec.cluster(), spec.consumers());
}

} // namespace nibble::hopper
