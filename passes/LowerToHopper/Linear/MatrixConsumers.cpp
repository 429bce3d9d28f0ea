// The products of a matrix kernel's consumers, in the order N10 and N12.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

Value Matrix::bDescriptor(Value slot) {
  Value tile = b_.atByte(slot, spec_.aBytes());
  return DescriptorOp::create(b_, b_.getI64Type(), tile,
                              spec_.b == Operand::kRows ? 16 : kBoxBytes, 1024,
                              128);
}

int64_t Matrix::bStep(int64_t s) const {
  return s / 4 * spec_.tile * 128 +
         s % 4 * (spec_.b == Operand::kRows ? 2 * kStep : 128 * kStep);
}

Value Matrix::multiply(Value a, Value bTile, Value sums) {
  auto flag = [&](bool set) { return set ? b_.getUnitAttr() : UnitAttr(); };
  return WgmmaOp::create(b_, sums.getType(), a, bTile, sums,
                         flag(spec_.a == Operand::kTransposed),
                         flag(spec_.b == Operand::kTransposed));
}

Value Matrix::wait(int64_t pending, Value sums) {
  return WgmmaWaitOp::create(b_, sums.getType(), b_.getI64IntegerAttr(pending),
                             sums)
      .getResult(0);
}

void Matrix::release(Value use) {
  b_.ifThen(b_.equal(b_.lane(), 0),
            [&] { RingReleaseOp::create(b_, ring_, use); });
}

void Matrix::releaseBefore(Value use) {
  Value any = b_.less(b_.i32(spec_.streams() - 1), use);
  Value before = b_.subI(use, spec_.streams());
  if (spec_.sharers > 1)
    RingReleaseOp::create(b_, ring_, before,
                          b_.getI64IntegerAttr(spec_.sharers), any);
  else
    b_.ifThen(any, [&] { release(before); });
}

Value Matrix::stageOfTiles(Value use, Value slot, Value sums) {
  Value tile = b_.atByte(slot, b_.mulI(group_, kWarpgroupRows * 128));
  Value a = DescriptorOp::create(b_, b_.getI64Type(), tile,
                                 spec_.a == Operand::kRows ? 16 : kBoxBytes,
                                 1024, 128);
  Value bTile = bDescriptor(slot);
  sums = fence(sums);
  for (int64_t s = 0; s < spec_.stageDepth() / kStep; ++s)
    sums = multiply(
        advance(a, s * (spec_.a == Operand::kRows ? 2 * kStep : 128 * kStep)),
        advance(bTile, bStep(s)), sums);
  commit();
  sums = wait(1, sums);
  releaseBefore(use);
  return sums;
}

Value Matrix::stageOfWarps(WarpProduct &product, Value use, Value slot,
                           Value sums) {
  SlabFragments slab(b_, spec_, slot, use, group_);
  auto byAny = [&] {
    return productOfWarp(product, slot, slab, /*small=*/false, sums);
  };
  if (spec_.hasSmallDecode()) {
    Value small = slab.loadScales();
    sums = b_.ifValue(
        small,
        [&] {
          return productOfWarp(product, slot, slab, /*small=*/true, sums);
        },
        byAny);
  } else {
    sums = byAny();
  }
  b_.syncWarp(); // all lanes have read codes and scales
  release(use);
  return sums;
}

Value Matrix::productOfWarp(WarpProduct &product, Value slot,
                            SlabFragments slab, bool small, Value sums) {
  SmallVector<Value> columns;
  for (int64_t step = 0; step < 8; ++step) {
    Value fragment = slab.fragment(step, small);
    if (step % product.stepsOfLoad() == 0)
      columns = product.load(
          b_.atByte(slot, spec_.aBytes() + step / 4 * spec_.tile * 128),
          step % 4);
    sums = product.multiply(fragment, columns, step, sums);
  }
  return sums;
}

Value Matrix::stageOfSlabs(Value use, Value slot, bool small, Value sums) {
  SlabFragments slab(b_, spec_, slot, use, group_);
  Value bTile = bDescriptor(slot);
  int64_t inBuffer = spec_.stageDepth() / kStep / 2;
  for (int64_t first = 0; first < 2 * inBuffer; first += inBuffer) {
    // The instructions that read these registers have ended.
    sums = wait(1, sums);
    if (first > 0)
      releaseBefore(use);
    SmallVector<Value> fragments;
    for (int64_t step = first; step < first + inBuffer; ++step)
      fragments.push_back(slab.fragment(step, small));
    if (first > 0)
      // All lanes have read codes and scales of this stage; the next one
      // releases it.
      b_.syncWarp();
    sums = fence(sums);
    for (int64_t i = 0; i < inBuffer; ++i)
      sums = multiply(fragments[i], advance(bTile, bStep(first + i)), sums);
    commit();
  }
  return sums;
}

Value Matrix::areScalesSmall(Value consumer) {
  Value weight = spec_.swiglu
                     ? b_.select(b_.equal(group_, 0), args_.a, args_.pairedA)
                     : args_.a;
  Value begin = scalesOf(weight, slabOf(b_.i32(0), group_));
  return scalesAreSmall(b_, begin, b_.mulI(slabsOfRow(), spec_.scaleBytes()),
                        b_.sharedMemory(spec_.flagsAt()), consumer,
                        spec_.consumers());
}

void Matrix::consume() {
  Value consumer = b_.subI(b_.thread(), 128);
  Value warpgroup = b_.uniform(b_.divI(consumer, 128));
  group_ = spec_.streams() > 1 ? b_.andI(warpgroup, 1) : warpgroup;
  stream_ = spec_.streams() > 1 ? b_.shrI(warpgroup, 1) : b_.i32(0);
  if (spec_.result == Result::kAccumulate)
    return storeSums(sumOf(b_.i32(0), steps_, loadSums()));
  if (spec_.choosesDecode())
    smallScales_ = areScalesSmall(consumer);
  Value zeros = b_.zeros(spec_.tile / 2);
  if (spec_.sideBySide()) {
    Value split = b_.addI(b_.mulI(rank_, spec_.streams()), stream_);
    return storeReduced(
        sumOf(b_.i32(0),
              b_.subI(splitBegin(b_.addI(split, 1)), splitBegin(split)), zeros),
        split, consumer);
  }
  if (spec_.splits == 1)
    return storeTokens(sumOf(b_.i32(0), steps_, zeros), consumer);
  storeTokens(sumOfSplits(consumer), consumer);
}

Value Matrix::sumOfSplits(Value consumer) {
  int64_t count = spec_.tile / 2;
  int64_t kept = count - spec_.totalsInShared();
  auto placeOf = [&](int64_t i) {
    return b_.atByte(
        b_.sharedMemory(spec_.totalsAt() + (i - kept) * 4 * spec_.consumers()),
        b_.mulI(consumer, 16));
  };
  for (int64_t i = kept; i < count; i += 4)
    b_.store(b_.zeros(4), placeOf(i));
  SmallVector<Value> begin = {b_.zeros(count)};
  if (kept < count)
    begin = {b_.zeros(kept), b_.zeros(count - kept)};
  auto totals = b_.loop(
      b_.i32(0), b_.i32(spec_.splits), b_.i32(1), begin,
      [&](Value split, ValueRange carried) -> SmallVector<Value> {
        Value sums = sumOf(splitBegin(split), splitBegin(b_.addI(split, 1)),
                           b_.zeros(count));
        if (kept == count)
          return {b_.add(carried[0], sums)};
        SmallVector<Value> inRegisters, waiting;
        for (int64_t i = 0; i < kept; ++i)
          inRegisters.push_back(
              b_.add(b_.extract(carried[0], i), b_.extract(sums, i)));
        for (int64_t i = kept; i < count; i += 4) {
          Value four = b_.load(placeOf(i), b_.vectorOf(b_.getF32Type(), 4));
          SmallVector<Value> added;
          for (int64_t j = 0; j < 4; ++j)
            added.push_back(
                b_.add(b_.extract(four, j), b_.extract(sums, i + j)));
          b_.store(b_.fromElements(added), placeOf(i));
          waiting.append(added);
        }
        return {b_.fromElements(inRegisters), b_.fromElements(waiting)};
      });
  if (kept == count)
    return totals[0];
  SmallVector<Value> all;
  for (int64_t i = 0; i < count; ++i)
    all.push_back(i < kept ? b_.extract(totals[0], i)
                           : b_.extract(totals[1], i - kept));
  return b_.fromElements(all);
}

Value Matrix::sumOf(Value first, Value end, Value sums) {
  if (smallScales_)
    return b_.ifValue(
        smallScales_, [&] { return sumOf(first, end, /*small=*/true, sums); },
        [&] { return sumOf(first, end, /*small=*/false, sums); });
  return sumOf(first, end, /*small=*/false, sums);
}

Value Matrix::sumOf(Value first, Value end, bool small, Value sums) {
  std::optional<WarpProduct> product;
  if (spec_.byWarps())
    product.emplace(b_, spec_.tile);
  // See `steps`: the loop must run at least once in a way that the compiler
  // sees, by the signed comparison that loops use.
  Value count = arith::MaxSIOp::create(b_, b_.subI(end, first), b_.i32(1));
  sums = b_.loop(
      b_.i32(0), count, b_.i32(1), {sums},
      [&](Value i, ValueRange carried) -> SmallVector<Value> {
        Value use =
            b_.addI(b_.mulI(b_.addI(first, i), spec_.streams()), stream_);
        Value slot = RingWaitOp::create(b_, b_.sharedPointer(), ring_, use);
        return {product ? stageOfWarps(*product, use, slot, carried[0])
                : spec_.a == Operand::kPacked
                    ? stageOfSlabs(use, slot, small, carried[0])
                    : stageOfTiles(use, slot, carried[0])};
      })[0];
  if (!product)
    sums = wait(0, sums);
  // Before reading the residual, and before writing memory that the previous
  // kernel may have read.
  if (spec_.early)
    waitForKernelBefore(b_);
  return sums;
}

} // namespace nibble::hopper
