// Loads packed codes and scales as fragments of the matrix instruction.
#include "passes/LowerToHopper/Linear/SlabFragments.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::hopper {

constexpr int64_t kSmallScales = 0x3D00; // bits of 2^-5

Value rowInGroup(Emitter &b) {
  Value thread = b.remI(b.thread(), 128);
  return b.addI(b.mulI(b.divI(thread, 32), 16), b.divI(b.remI(thread, 32), 4));
}

SlabFragments::SlabFragments(Emitter &b, const MatrixSpec &spec, Value slot,
                             Value step, Value group)
    : b(b), perRow(std::max<int64_t>(
                spec.scalesPerSlabRow * spec.stageDepth() / 128, 1)),
      perSlabRow(spec.scalesPerSlabRow) {
  codes = b.atByte(slot, b.addI(b.mulI(group, spec.codeBytes()),
                                b.mulI(b.remI(b.thread(), 128), 16)));
  Value rows = b.addI(b.mulI(group, spec.scaleBytes()),
                      b.mulI(rowInGroup(b), 2 * perSlabRow));
  if (perRow < perSlabRow) // a stage is half of a slab
    rows = b.addI(rows, b.mulI(b.andI(step, 1), 2 * perRow));
  scales = b.atByte(slot, b.addI(rows, 2 * spec.codeBytes()));
}

Value SlabFragments::scaleBits(int64_t i) {
  int64_t at = i < perRow ? i : i - perRow + 8 * perSlabRow;
  return arith::ExtUIOp::create(
      b, b.getI32Type(), b.load(b.atByte(scales, 2 * at), b.getI16Type()));
}

Value SlabFragments::loadScales() {
  Value largest;
  for (int64_t i = 0; i < 2 * perRow; ++i) {
    Value bits = scaleBits(i);
    Value less = b.subI(bits, 1); // 0 becomes the largest
    largest = largest ? b.maxI(largest, less) : less;
    loaded.push_back(b.mulI(bits, 0x00010001));
  }
  return NVVM::VoteSyncOp::create(b, b.getI1Type(), b.i32(-1),
                                  b.less(largest, kSmallScales - 1),
                                  NVVM::VoteSyncKind::all);
}

Value SlabFragments::scale(int64_t i) {
  if (!loaded.empty())
    return loaded[i];
  Value bits = scaleBits(i);
  return b.orI(bits, b.shlI(bits, 16));
}

Value SlabFragments::times(Value x, int64_t bits) {
  return emitValue(b, "mul.rn.bf16x2 $0, $1, $2;", b.getI32Type(),
                   {x, b.i32(bits)});
}

Value SlabFragments::fragment(int64_t s, bool small) {
  if (s % 4 == 0)
    words =
        b.load(b.atByte(codes, s / 4 * 2048), b.vectorOf(b.getI32Type(), 4));
  if (s * perSlabRow % 8 == 0) {
    low = scale(s * perSlabRow / 8);
    high = scale(s * perSlabRow / 8 + perRow);
    if (small) {
      minusLow = times(low, 0xC100C100); // -8
      minusHigh = times(high, 0xC100C100);
      low = times(times(low, 0x7F007F00), 0x42804280);   // 2^127, 2^6
      high = times(times(high, 0x7F007F00), 0x40804080); // 2^127, 2^2
    }
  }
  Value word = b.extract(words, s % 4);
  Type four = b.vectorOf(b.getI32Type(), 4);
  return small ? Value(DequantizeSmallOp::create(b, four, word, low, minusLow,
                                                 high, minusHigh))
               : Value(DequantizeOp::create(b, four, word, low, high));
}

// Bit 15 of a 16-bit sum is the answer. x + 0x4300 sets it when x is at least
// 2^-5, x + 0x7FFF when x is not 0, and x itself when x is negative. Only a
// negative x carries into the other half.
Value scalesAreSmall(Emitter &b, Value begin, Value bytes, Value flags,
                     Value consumer, int64_t consumers) {
  Value bad = b.loop(
      b.mulI(b.remI(consumer, 128), 16), bytes, b.i32(128 * 16), {b.i32(0)},
      [&](Value at, ValueRange carried) -> SmallVector<Value> {
        Value four = b.load(b.atByte(begin, at), b.vectorOf(b.getI32Type(), 4)),
              bad = carried[0];
        for (int64_t i = 0; i < 4; ++i) {
          Value pair = b.extract(four, i);
          Value large = b.orI(
              pair, b.addI(pair, 0x8000'8000 - kSmallScales * 0x0001'0001));
          Value none = b.xorI(b.addI(pair, 0x7FFF'7FFF), b.i32(0x8000'8000));
          bad = b.orI(bad, b.orI(large, none));
        }
        return {bad};
      })[0];
  Value any = NVVM::VoteSyncOp::create(b, b.getI1Type(), b.i32(-1),
                                       b.equal(b.andI(bad, 0x8000'8000), 0),
                                       NVVM::VoteSyncKind::all);
  b.ifThen(b.equal(b.lane(), 0), [&] {
    b.store(b.select(any, b.i32(0), b.i32(1)),
            b.at(flags, b.getI32Type(), b.divI(consumer, 32)));
  });
  b.barrier(kConsumerBarrier, consumers);
  Value all;
  for (int64_t i = 0; i < consumers / 32; i += 4) {
    Value four = b.load(b.atByte(flags, 4 * i), b.vectorOf(b.getI32Type(), 4));
    for (int64_t j = 0; j < 4; ++j)
      all = all ? b.orI(all, b.extract(four, j)) : b.extract(four, j);
  }
  return b.equal(b.uniform(all), 0);
}

} // namespace nibble::hopper
