// The products of a matrix kernel's consumers, in the order N10 and N12.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

Value Matrix::bDescriptor(Value slot) {
  Value tile = b.atByte(slot, spec.aBytes());
  return DescriptorOp::create(b, b.getI64Type(), tile,
                              spec.b == Operand::kRows ? 16 : kBoxBytes, 1024,
                              128);
}

int64_t Matrix::bStep(int64_t s) const {
  return s / 4 * spec.tile * 128 +
         s % 4 * (spec.b == Operand::kRows ? 2 * kStep : 128 * kStep);
}

Value Matrix::multiply(Value a, Value bTile, Value sums) {
  auto flag = [&](bool set) { return set ? b.getUnitAttr() : UnitAttr(); };
  return WgmmaOp::create(b, sums.getType(), a, bTile, sums,
                         flag(spec.a == Operand::kTransposed),
                         flag(spec.b == Operand::kTransposed));
}

Value Matrix::wait(int64_t pending, Value sums) {
  return WgmmaWaitOp::create(b, sums.getType(), b.getI64IntegerAttr(pending),
                             sums)
      .getResult(0);
}

void Matrix::release(Value use) {
  b.ifThen(b.equal(b.lane(), 0), [&] { RingReleaseOp::create(b, ring, use); });
}

void Matrix::releaseBefore(Value use) {
  Value any = b.less(b.i32(spec.streams() - 1), use),
        before = b.subI(use, spec.streams());
  if (spec.sharers > 1)
    RingReleaseOp::create(b, ring, before, b.getI64IntegerAttr(spec.sharers),
                          any);
  else
    b.ifThen(any, [&] { release(before); });
}

Value Matrix::stageOfTiles(Value use, Value slot, Value sums) {
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

Value Matrix::stageOfWarps(WarpProduct &product, Value use, Value slot,
                           Value sums) {
  SlabFragments slab(b, spec, slot, use, group);
  Value small = slab.loadScales();
  sums = b.ifValue(
      small,
      [&] { return productOfWarp(product, slot, slab, /*small=*/true, sums); },
      [&] {
        return productOfWarp(product, slot, slab, /*small=*/false, sums);
      });
  b.syncWarp(); // all lanes have read codes and scales
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
          b.atByte(slot, spec.aBytes() + step / 4 * spec.tile * 128), step % 4);
    sums = product.multiply(fragment, columns, step, sums);
  }
  return sums;
}

Value Matrix::stageOfSlabs(Value use, Value slot, bool small, Value sums) {
  SlabFragments slab(b, spec, slot, use, group);
  Value bTile = bDescriptor(slot);
  int64_t inBuffer = spec.stageDepth() / kStep / 2;
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
      b.syncWarp();
    sums = fence(sums);
    for (int64_t i = 0; i < inBuffer; ++i)
      sums = multiply(fragments[i], advance(bTile, bStep(first + i)), sums);
    commit();
  }
  return sums;
}

Value Matrix::areScalesSmall(Value consumer) {
  Value weight =
      spec.swiglu ? b.select(b.equal(group, 0), args.a, args.pairedA) : args.a;
  Value begin = scalesOf(weight, slabOf(b.i32(0), group));
  return scalesAreSmall(b, begin, b.mulI(slabsOfRow(), spec.scaleBytes()),
                        b.sharedMemory(spec.flagsAt()), consumer,
                        spec.consumers());
}

void Matrix::consume() {
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
        sumOf(b.i32(0), b.subI(splitBegin(b.addI(split, 1)), splitBegin(split)),
              zeros),
        split, consumer);
  }
  if (spec.splits == 1)
    return storeTokens(sumOf(b.i32(0), steps, zeros), consumer);
  storeTokens(sumOfSplits(consumer), consumer);
}

Value Matrix::sumOfSplits(Value consumer) {
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
            added.push_back(b.add(b.extract(four, j), b.extract(sums, i + j)));
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

Value Matrix::sumOf(Value first, Value end, Value sums) {
  if (smallScales)
    return b.ifValue(
        smallScales, [&] { return sumOf(first, end, /*small=*/true, sums); },
        [&] { return sumOf(first, end, /*small=*/false, sums); });
  return sumOf(first, end, /*small=*/false, sums);
}

Value Matrix::sumOf(Value first, Value end, bool small, Value sums) {
  std::optional<WarpProduct> product;
  if (spec.byWarps())
    product.emplace(b, spec.tile);
  // See `steps`: the loop must run at least once in a way that the compiler
  // sees, by the signed comparison that loops use.
  Value count = arith::MaxSIOp::create(b, b.subI(end, first), b.i32(1));
  sums =
      b.loop(b.i32(0), count, b.i32(1), {sums},
             [&](Value i, ValueRange carried) -> SmallVector<Value> {
               Value use =
                   b.addI(b.mulI(b.addI(first, i), spec.streams()), stream);
               Value slot = RingWaitOp::create(b, b.sharedPointer(), ring, use);
               return {product ? stageOfWarps(*product, use, slot, carried[0])
                       : spec.a == Operand::kPacked
                           ? stageOfSlabs(use, slot, small, carried[0])
                           : stageOfTiles(use, slot, carried[0])};
             })[0];
  if (!product)
    sums = wait(0, sums);
  // Before reading the residual, and before writing memory that the previous
  // kernel may have read.
  if (spec.early)
    waitForKernelBefore(b);
  return sums;
}

} // namespace nibble::hopper
