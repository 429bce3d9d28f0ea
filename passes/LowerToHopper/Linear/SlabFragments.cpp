// Loads packed codes and scales as fragments of the matrix instruction.
#include "passes/LowerToHopper/Linear/SlabFragments.h"

#include "lib/Numerics/fragment.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

using namespace mlir;

namespace nibble::hopper {

constexpr int64_t kSmallScales = 0x3D00; // bits of 2^-5

Value rowInGroup(Emitter &b) {
  Value thread = b.remI(b.thread(), 128);
  return b.addI(b.mulI(b.divI(thread, 32), 16), b.divI(b.remI(thread, 32), 4));
}

SlabFragments::SlabFragments(Emitter &b, const MatrixSpec &spec, Value slot,
                             Value step, Value group)
    : b_(b), scheme_(spec.scheme),
      scaleBytes_(numerics::bytesOf(scheme_.row().scaleType)),
      perRow_(std::max<int64_t>(spec.scalesPerSlabRow * spec.stageDepth() / 128,
                                1)),
      perSlabRow_(spec.scalesPerSlabRow) {
  codes_ = b.atByte(slot, b.addI(b.mulI(group, spec.codeBytes()),
                                 b.mulI(b.remI(b.thread(), 128), 16)));
  Value rows = b.addI(b.mulI(group, spec.scaleBytes()),
                      b.mulI(rowInGroup(b), scaleBytes_ * perSlabRow_));
  if (perRow_ < perSlabRow_) // a stage is half of a slab
    rows = b.addI(rows, b.mulI(b.andI(step, 1), scaleBytes_ * perRow_));
  scales_ = b.atByte(slot, b.addI(rows, 2 * spec.codeBytes()));
}

Value SlabFragments::scaleBits(int64_t i) {
  int64_t at = i < perRow_ ? i : i - perRow_ + 8 * perSlabRow_;
  Type integer = b_.getIntegerType(static_cast<unsigned>(8 * scaleBytes_));
  return arith::ExtUIOp::create(
      b_, b_.getI32Type(),
      b_.load(b_.atByte(scales_, scaleBytes_ * at), integer));
}

Value SlabFragments::loadScales() {
  Value largest;
  for (int64_t i = 0; i < 2 * perRow_; ++i) {
    Value bits = scaleBits(i);
    Value less = b_.subI(bits, 1); // 0 becomes the largest
    largest = largest ? b_.maxI(largest, less) : less;
    loaded_.push_back(b_.mulI(bits, 0x00010001));
  }
  return NVVM::VoteSyncOp::create(b_, b_.getI1Type(), b_.i32(-1),
                                  b_.less(largest, kSmallScales - 1),
                                  NVVM::VoteSyncKind::all);
}

Value SlabFragments::scale(int64_t i) {
  if (!loaded_.empty())
    return loaded_[i];
  return bf16Pair(b_, scheme_.row().scaleType, scaleBits(i));
}

Value SlabFragments::times(Value x, int64_t bits) {
  return emitValue(b_, "mul.rn.bf16x2 $0, $1, $2;", b_.getI32Type(),
                   {x, b_.i32(bits)});
}

Value SlabFragments::fragment(int64_t s, bool small) {
  if (s % 4 == 0)
    words_ = b_.load(b_.atByte(codes_, s / 4 * 2048),
                     b_.vectorOf(b_.getI32Type(), 4));
  if (s * perSlabRow_ % 8 == 0) {
    low_ = scale(s * perSlabRow_ / 8);
    high_ = scale(s * perSlabRow_ / 8 + perRow_);
    if (small) {
      minusLow_ = times(low_, 0xC100C100); // -8
      minusHigh_ = times(high_, 0xC100C100);
      low_ = times(times(low_, 0x7F007F00), 0x42804280);   // 2^127, 2^6
      high_ = times(times(high_, 0x7F007F00), 0x40804080); // 2^127, 2^2
    }
  }
  Value word = b_.extract(words_, s % 4);
  Type four = b_.vectorOf(b_.getI32Type(), 4);
  return small ? Value(DequantizeSmallOp::create(b_, four, word, low_,
                                                 minusLow_, high_, minusHigh_))
               : fragmentOf(b_, scheme_, word, low_, high_);
}

// Bit 15 of a 16-bit sum is the answer. x + 0x4300 sets it when x is at least
// 2^-5, x + 0x7FFF when x is not 0, and x itself when x is negative. Only a
// negative x carries into the other half.
Value scalesAreSmall(Emitter &b, Value begin, Value bytes, Value flags,
                     Value consumer, int64_t consumers) {
  Value bad = b.loop(
      b.mulI(b.remI(consumer, 128), 16), bytes, b.i32(128 * 16), {b.i32(0)},
      [&](Value at, ValueRange carried) -> SmallVector<Value> {
        Value four = b.load(b.atByte(begin, at), b.vectorOf(b.getI32Type(), 4));
        Value bad = carried[0];
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
