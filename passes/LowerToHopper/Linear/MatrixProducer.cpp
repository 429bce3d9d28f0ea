// The copies of a matrix kernel's producer.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::copyBox(Value map, Value inner, Value outer, Value slot,
                     int64_t offset, Value use) {
  TensorCopyOp::create(b_, map, ValueRange{inner, outer},
                       b_.atByte(slot, offset), ring_, use);
}

void Matrix::produce() {
  Value row = b_.mulI(rowBlock_, rowsOfY());
  int64_t bytes =
      spec_.bBytes() + (spec_.a == Operand::kPacked
                            ? 2 * (spec_.codeBytes() + spec_.scaleBytes())
                            : kBlockRows * spec_.stageDepth() * 2);
  auto acquire = [&](Value use) -> Value {
    return RingAcquireOp::create(b_, b_.sharedPointer(), ring_, use,
                                 b_.i32(bytes));
  };
  // Streams take turns. If one has a step more than the other, its last use is
  // the last or the last but one.
  int64_t streams = spec_.streams();
  SmallVector<Value> begins, ends;
  Value count;
  for (int64_t stream = 0; stream < streams; ++stream) {
    Value split = b_.addI(b_.mulI(rank_, streams), stream);
    begins.push_back(spec_.sideBySide() ? splitBegin(split) : b_.i32(0));
    ends.push_back(spec_.sideBySide() ? splitBegin(b_.addI(split, 1)) : steps_);
    Value own = b_.subI(ends.back(), begins.back());
    count = count ? b_.maxI(count, own) : own;
  }
  count = b_.mulI(count, streams);
  auto forUses = [&](Value from, Value to,
                     llvm::function_ref<void(Value, Value)> body) {
    b_.loop(from, to, 1, [&](Value use) {
      if (streams == 1)
        return body(use, b_.addI(begins[0], use));
      Value first = b_.equal(b_.andI(use, 1), 0);
      Value step =
          b_.addI(b_.select(first, begins[0], begins[1]), b_.shrI(use, 1));
      b_.ifThen(b_.less(step, b_.select(first, ends[0], ends[1])),
                [&] { body(use, step); });
    });
  };
  Value fetched = b_.i32(0);
  if (spec_.early) {
    // The first round of the ring: weights first, then, once the previous
    // kernel has ended, its results.
    fetched = b_.minI(count, b_.i32(spec_.stages()));
    forUses(b_.i32(0), fetched,
            [&](Value use, Value step) { copySlabs(acquire(use), step, use); });
    waitForKernelBefore(b_);
    letNextKernelBegin(b_);
    forUses(b_.i32(0), fetched, [&](Value use, Value step) {
      copyColumns(
          b_.atByte(b_.sharedMemory(0), b_.mulI(use, spec_.stageBytes())), step,
          use);
    });
  }
  forUses(fetched, count, [&](Value use, Value step) {
    Value slot = acquire(use);
    Value k = b_.mulI(step, spec_.stageDepth());
    if (spec_.a == Operand::kPacked)
      copySlabs(slot, step, use);
    else if (spec_.a == Operand::kRows)
      copyRows(slot, k, row, use);
    else
      for (int64_t half = 0; half < 2; ++half)
        copyBox(args_.a, b_.addI(row, half * 64), k, slot, half * kBoxBytes,
                use);
    copyColumns(slot, step, use);
  });
}

void Matrix::copyRows(Value slot, Value k, Value row, Value use) {
  copyBox(args_.a, k, row, slot, 0, use);
  if (spec_.swiglu)
    copyBox(args_.pairedA, k, row, slot, kBoxBytes, use);
}

void Matrix::copyColumns(Value slot, Value step, Value use) {
  Value k = b_.mulI(step, spec_.stageDepth());
  Value column = b_.mulI(columnBlock_, spec_.tile);
  int64_t columns = spec_.tile / spec_.sharers;
  int64_t bytes = columns * 128; // of a part of 64 k
  Value part =
      spec_.sharers > 1 ? b_.atByte(slot, b_.mulI(rank_, bytes)) : slot;
  if (spec_.sharers > 1)
    column = b_.addI(column, b_.mulI(rank_, columns));
  auto copy = [&](Value inner, Value outer, int64_t offset) {
    auto multicast =
        spec_.sharers > 1 ? b_.getI64IntegerAttr(spec_.sharers) : IntegerAttr();
    TensorCopyOp::create(b_, args_.b, ValueRange{inner, outer},
                         b_.atByte(part, offset), ring_, use, multicast);
  };
  for (int64_t block = 0; block < spec_.stageDepth() / 64; ++block) {
    int64_t at = spec_.aBytes() + block * spec_.tile * 128;
    if (spec_.b == Operand::kRows)
      copy(b_.addI(k, block * 64), column, at);
    else
      for (int64_t box = 0; box < columns / 64; ++box)
        copy(b_.addI(column, box * 64), k, at + box * kBoxBytes);
  }
}

Value Matrix::slabOf(Value step, Value half) {
  Value slabRow =
      spec_.swiglu ? rowBlock_ : b_.addI(b_.mulI(rowBlock_, 2), half);
  slabRow =
      b_.minI(slabRow, b_.subI(b_.ceilDivI(args_.m, numerics::kSlabRows), 1));
  return b_.place(
      slabRow, slabsOfRow(),
      b_.divI(b_.mulI(step, spec_.stageDepth()), numerics::kSlabColumns));
}

Value Matrix::scalesOf(Value weight, Value slab) {
  Value slabs =
      b_.wide(b_.mulI(b_.ceilDivI(args_.m, numerics::kSlabRows), slabsOfRow()));
  return b_.atByte(weight, b_.addI(b_.mulI(slabs, numerics::kSlabBytes),
                                   b_.mulI(slab, spec_.scaleBytes())));
}

void Matrix::copySlabs(Value slot, Value step, Value use) {
  for (int64_t half = 0; half < 2; ++half) {
    Value weight = spec_.swiglu && half == 1 ? args_.pairedA : args_.a;
    Value slab = slabOf(step, b_.i32(half));
    auto copy = [&](Value source, int64_t to, int64_t bytes) {
      BulkCopyOp::create(b_, source, b_.atByte(slot, to), b_.i32(bytes), ring_,
                         use,
                         /*once=*/spec_.tile < 128);
    };
    Value codes = b_.atByte(weight, b_.mulI(slab, numerics::kSlabBytes));
    if (spec_.codeBytes() < numerics::kSlabBytes)
      codes = b_.atByte(codes, b_.mulI(b_.andI(step, 1), spec_.codeBytes()));
    copy(codes, half * spec_.codeBytes(), spec_.codeBytes());
    copy(scalesOf(weight, slab),
         2 * spec_.codeBytes() + half * spec_.scaleBytes(), spec_.scaleBytes());
  }
}

Value Matrix::splitBegin(Value split) {
  int64_t perUnit = 128 / spec_.stageDepth();
  Value units = b_.ceilDivI(args_.k, 128);
  return b_.minI(b_.mulI(b_.divI(b_.mulI(split, units), spec_.splits), perUnit),
                 steps_);
}

ClusterExchange Matrix::exchange() {
  return ClusterExchange(b_, spec_.ringBytes(), spec_.exchangedBytes(),
                         spec_.cluster(), spec_.consumers());
}

} // namespace nibble::hopper
