// Builds the arithmetic of drawing a token on a device.
#include "passes/LowerToDevice/Sample/SampleMath.h"

#include "lib/Numerics/sampling.h"

using namespace mlir;

namespace nibble::device {

static Value f64(Emitter &b, double value) {
  return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
}
static Value bitsOf(Emitter &b, Value x) {
  return b.bitcast(x, b.getI64Type());
}
static Value doubleOf(Emitter &b, Value bits) {
  return b.bitcast(bits, b.getF64Type());
}
static Value toDouble(Emitter &b, Value unsignedInteger) {
  return arith::UIToFPOp::create(b, b.getF64Type(), unsignedInteger);
}

static Value exactExp(Emitter &b, Value x) {
  Value lowest = f64(b, numerics::kExpLowest);
  Value isThere = b.greater(x, lowest);
  Value one = f64(b, 1.0);
  Value clamped = b.select(isThere, x, lowest);
  Value magic = f64(b, numerics::kExpMagic);
  Value shifted = b.add(b.mul(clamped, f64(b, numerics::kLog2E)), magic);
  Value k = b.sub(shifted, magic);
  Value r = b.sub(b.sub(clamped, b.mul(k, f64(b, numerics::kLn2High))),
                  b.mul(k, f64(b, numerics::kLn2Low)));
  Value sum = one;
  for (double inverse : numerics::kExpInverses)
    sum = b.add(one, b.mul(sum, b.mul(r, f64(b, inverse))));
  Value power = doubleOf(
      b, b.addI(b.shlI(bitsOf(b, shifted), 52), b.i64(int64_t{1023} << 52)));
  return b.select(isThere, b.mul(sum, power), f64(b, 0.0));
}

static Value exactLog(Emitter &b, Value x) {
  Value bits = bitsOf(b, x);
  Value exponent = b.subI(b.shrI(bits, b.i64(52)), 1023);
  Value one = f64(b, 1.0);
  Value mantissa = doubleOf(
      b, b.orI(b.andI(bits, 0xFFFFFFFFFFFFF), b.i64(int64_t{1023} << 52)));
  Value isLarge = b.greater(mantissa, f64(b, numerics::kSquareRootOf2));
  mantissa = b.select(isLarge, b.mul(mantissa, f64(b, 0.5)), mantissa);
  exponent = b.select(isLarge, b.addI(exponent, 1), exponent);
  Value s = b.div(b.sub(mantissa, one), b.add(mantissa, one));
  Value square = b.mul(s, s);
  Value sum = f64(b, 0.0);
  for (int i = numerics::kLogTerms; i > 0; i -= 2)
    sum = b.add(b.mul(sum, square), f64(b, 1.0 / static_cast<double>(i)));
  Value whole = b.mul(arith::SIToFPOp::create(b, b.getF64Type(), exponent),
                      f64(b, numerics::kLn2));
  return b.add(whole, b.mul(b.mul(f64(b, 2.0), s), sum));
}

Value tokenMass(Emitter &b, Value logit, Value largest, Value temperature) {
  auto widened = [&](Value x) -> Value {
    return arith::ExtFOp::create(b, b.getF64Type(), b.div(x, temperature));
  };
  Value isLargest =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, logit, largest);
  Value distance =
      b.select(isLargest, f64(b, 0.0), b.sub(widened(logit), widened(largest)));
  Value magic = f64(b, numerics::kIntegerMagic);
  Value rounded = b.add(
      b.mul(exactExp(b, distance), f64(b, numerics::kLargestMass)), magic);
  return b.subI(bitsOf(b, rounded),
                std::bit_cast<int64_t>(numerics::kIntegerMagic));
}

Value tokenRank(Emitter &b, Value logit, Value token) {
  Value isZero =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, logit, b.f32(0));
  Value bits = b.bitcast(b.select(isZero, b.f32(0), logit), b.getI32Type());
  Value sign = b.i32(INT32_MIN);
  Value isNegative = b.lessEqual(sign, bits);
  Value descending =
      b.select(isNegative, bits, b.xorI(b.orI(bits, sign), b.i32(-1)));
  return b.orI(b.shlI(b.wide(descending), numerics::kRankTokenBits),
               b.wide(token));
}

Value ceiling(Emitter &b, Value x) {
  Value below = arith::FPToUIOp::create(b, b.getI64Type(), x);
  return b.addI(below, b.wide(b.greater(x, toDouble(b, below))));
}

Value wantedMass(Emitter &b, Value topP, Value left) {
  return b.minI(b.maxI(ceiling(b, b.mul(topP, toDouble(b, left))), b.i64(1)),
                left);
}

Value leastMass(Emitter &b, Value minP) {
  return ceiling(b, b.mul(minP, f64(b, numerics::kLargestMass)));
}

Value logKeptMass(Emitter &b, Value kept, Value all) {
  return arith::TruncFOp::create(
      b, b.getF32Type(),
      exactLog(b, b.div(toDouble(b, kept), toDouble(b, all))));
}

Value mulHigh(Emitter &b, Value x, Value y) {
  return arith::MulUIExtendedOp::create(b, x, y).getHigh();
}

// A shuffle moves 32 bits.
static Value halves(Emitter &b, Value x,
                    llvm::function_ref<Value(Value)> move) {
  Value low = move(b.narrow(x));
  Value high = move(b.narrow(b.shrI(x, b.i64(32))));
  return b.orI(b.shlI(b.wide(high), 32), b.wide(low));
}

Value warpSumI64(Emitter &b, Value x) {
  for (int64_t mask = 16; mask > 0; mask /= 2)
    x = b.addI(
        x, halves(b, x, [&](Value half) { return b.shuffleXor(half, mask); }));
  return x;
}

Value warpScanI64(Emitter &b, Value x) {
  Value lane = b.lane();
  for (int64_t distance = 1; distance < 32; distance *= 2) {
    Value isFirst = b.less(lane, distance);
    Value from = b.select(isFirst, lane, b.subI(lane, distance));
    Value before =
        halves(b, x, [&](Value half) { return b.shuffle(half, from); });
    x = b.addI(x, b.select(isFirst, b.i64(0), before));
  }
  return x;
}

Value blockSumI64(Emitter &b, Value x, Value scratch, int64_t threads) {
  Type i64 = b.getI64Type();
  Value sum = warpSumI64(b, x);
  Value lane = b.lane();
  b.barrier(); // all threads have read the previous sum
  b.ifThen(b.equal(lane, 0),
           [&] { b.store(sum, b.at(scratch, i64, b.warp())); });
  b.barrier();
  Value mine = b.ifValue(
      b.less(lane, threads / 32),
      [&] { return b.load(b.at(scratch, i64, lane), i64); },
      [&] { return b.i64(0); });
  return warpSumI64(b, mine);
}

Passed whereSumPasses(Emitter &b, ArrayRef<Value> entries, Value threshold) {
  Value own = entries.front();
  for (Value entry : entries.drop_front())
    own = b.addI(own, entry);
  Value before = b.subI(warpScanI64(b, own), own);
  Value isHere = b.both(b.lessEqual(before, threshold),
                        b.less(threshold, b.addI(before, own)));
  Value index = b.mulI(b.lane(), static_cast<int64_t>(entries.size()));
  Value passed = b.boolean(false);
  for (Value entry : entries.drop_back()) {
    passed = b.either(passed, b.less(threshold, b.addI(before, entry)));
    index = b.select(passed, index, b.addI(index, 1));
    before = b.select(passed, before, b.addI(before, entry));
  }
  Passed place;
  place.index =
      b.narrow(warpSumI64(b, b.select(isHere, b.wide(index), b.i64(0))));
  place.before = warpSumI64(b, b.select(isHere, before, b.i64(0)));
  return place;
}

} // namespace nibble::device
