// Builds scales, codes and values of the quantization grid.
#include "passes/Kernels/Grid.h"

#include "lib/Numerics/grid.h"

#include <cmath>

using namespace mlir;

namespace nibble::kernels {

namespace {

// A float of few bits beside a float32.
struct SmallFloat {
  int32_t dropped;    // bits of the mantissa that it does not have
  int32_t bias;       // of a float32's exponent less its own
  int32_t signShift;  // between both signs
  int32_t signMask;   // of its own sign
  float toSubnormal;  // moves its smallest step to a float32's last place
  int32_t subnormals; // mask of the codes below smallestNormal
  float smallestNormal;
  float largest;
  int32_t largestCode;
  bool hasNaN; // whether the next code is NaN
};

constexpr SmallFloat kE4M3 = {20,  120,     24,     0x80, 0x1.8p14f,
                              0xF, 0x1p-6f, 448.0f, 0x7E, true};
constexpr SmallFloat kE2M1 = {
    22, 126, 28, 8, 0x1.8p22f, 3, 1.0f, numerics::kE2M1Largest, 7, false};

// Rounds to the nearest, ties to even, and keeps the sign of a zero. Numbers
// from `largest` on become `largest`.
Value codesOf(Emitter &b, Value numbers, const SmallFloat &to) {
  Value bits = b.bitsOf(numbers);
  auto number = [&](int32_t value) { return b.like(bits, value); };
  Value sign = b.andI(b.shrI(bits, number(to.signShift)), number(to.signMask));
  Value magnitude = b.andI(bits, number(0x7FFFFFFF));
  Value odd = b.andI(b.shrI(magnitude, number(to.dropped)), number(1));
  int32_t belowHalf = (1 << (to.dropped - 1)) - 1;
  Value rounded = b.addI(b.addI(magnitude, number(belowHalf)), odd);
  Value normal = b.subI(b.shrI(rounded, number(to.dropped)),
                        number(to.bias << (23 - to.dropped)));
  Value shifted =
      b.bitsOf(b.add(b.floatsOf(magnitude), b.like(numbers, to.toSubnormal)));
  Value tiny = b.andI(shifted, number(to.subnormals));
  auto isBelow = [&](float bound) {
    return b.less(magnitude, number(std::bit_cast<int32_t>(bound)));
  };
  Value code = b.select(isBelow(to.largest), normal, number(to.largestCode));
  code = b.select(isBelow(to.smallestNormal), tiny, code);
  return b.orI(code, sign);
}

// Exactly the numbers of such codes. A normal code has exponent and mantissa in
// the positions of a float32, with another exponent bias. A subnormal code is a
// subnormal float32 there, which one multiplication scales like the others;
// where that is slow, the code counts its steps.
Value numbersOf(Emitter &b, Value codes, const SmallFloat &from) {
  auto number = [&](int32_t value) { return b.like(codes, value); };
  auto signsOf = [&] {
    return b.shlI(b.andI(codes, number(from.signMask)), number(from.signShift));
  };
  auto magnitudesOf = [&] { return b.andI(codes, number(from.signMask - 1)); };
  auto areNaN = [&](Value magnitudes) {
    return from.hasNaN ? b.equal(magnitudes, number(from.largestCode + 1))
                       : Value();
  };
  auto finish = [&](Value bits, Value isNaN, Value signs) {
    if (isNaN)
      bits = b.select(isNaN, number(0x7FC00000), bits);
    return b.floatsOf(b.orI(bits, signs));
  };
  if (b.hasFastSubnormals()) {
    Value magnitudes = magnitudesOf();
    Value small = b.floatsOf(b.shlI(magnitudes, number(from.dropped)));
    Value scaled = b.mul(small, b.like(small, std::ldexp(1.0, from.bias)));
    Value signs = signsOf();
    Value isNaN = areNaN(magnitudes);
    return finish(b.bitsOf(scaled), isNaN, signs);
  }
  Value signs = signsOf();
  Value magnitudes = magnitudesOf();
  Value normal =
      b.addI(b.shlI(magnitudes, number(from.dropped)), number(from.bias << 23));
  int32_t normals = 1 << (23 - from.dropped); // the code of smallestNormal
  Type floats = cast<ShapedType>(codes.getType()).clone(b.getF32Type());
  Value steps = arith::SIToFPOp::create(b, floats, magnitudes);
  Value tiny =
      b.bitsOf(b.mul(steps, b.like(steps, from.smallestNormal / normals)));
  Value isTiny = b.less(magnitudes, number(normals));
  Value isNaN = areNaN(magnitudes);
  return finish(b.select(isTiny, tiny, normal), isNaN, signs);
}

} // namespace

Value numberOfScale(Emitter &b, numerics::ScaleType type, Value bits) {
  switch (type) {
  case numerics::ScaleType::kBF16:
    return b.floatsOf(b.shlI(bits, b.like(bits, 16)));
  case numerics::ScaleType::kF32:
    return b.floatsOf(bits);
  case numerics::ScaleType::kE8M0: {
    // The first is a subnormal float32 and the last a quiet NaN: both have the
    // highest bit of a mantissa.
    Value isEnd =
        b.less(b.andI(b.addI(bits, b.like(bits, 1)), b.like(bits, 0xFF)),
               b.like(bits, 2));
    Value half = b.select(isEnd, b.like(bits, 0x00400000), b.like(bits, 0));
    return b.floatsOf(b.orI(b.shlI(bits, b.like(bits, 23)), half));
  }
  }
  llvm_unreachable("no other types of scales");
}

Value scaleBits(Emitter &b, numerics::ScaleType type, Value scale) {
  Value bits = b.bitsOf(scale);
  switch (type) {
  case numerics::ScaleType::kBF16:
    return b.shrI(bits, b.like(bits, 16));
  case numerics::ScaleType::kF32:
    return bits;
  case numerics::ScaleType::kE8M0:
    return b.shrI(bits, b.like(bits, 23));
  }
  llvm_unreachable("no other types of scales");
}

Value numbersOfCodes(Emitter &b, const numerics::SchemeRow &row, Value codes) {
  if (row.codeType == numerics::CodeType::kE4M3)
    return numbersOf(b, codes, kE4M3);
  if (row.codeType == numerics::CodeType::kE2M1)
    return numbersOf(b, codes, kE2M1);
  if (row.codeBias != 0)
    codes = b.subI(codes, b.like(codes, static_cast<double>(row.codeBias)));
  Type floats = cast<ShapedType>(codes.getType()).clone(b.getF32Type());
  return arith::SIToFPOp::create(b, floats, codes);
}

Value Grid::quotientOf(Value largest, float steps) const {
  return b_.div(largest, b_.like(largest, steps));
}

Value Grid::roundScale(Value scale) const {
  return b_.roundTo(scale, b_.getBF16Type());
}

Value Grid::roundNumbers(Value numbers) const {
  return b_.roundTo(numbers, b_.getBF16Type());
}

GridScale Grid::scaleOf(Value largest) const {
  if (row().scaleType == numerics::ScaleType::kF32) {
    Value scale = b_.div(largest, b_.like(largest, row().largest));
    return {scale, scale};
  }
  if (scheme_.getConvention() == qat::Convention::kSlime) {
    // The public stack multiplies by the float32 nearest to 1/7.
    const float seventh = std::bit_cast<float>(0x3E124925u);
    Value scale = b_.max(b_.mul(largest, b_.like(largest, seventh)),
                         b_.like(largest, 1e-5f));
    return {scale, roundScale(scale)};
  }
  if (row().scaleType == numerics::ScaleType::kE8M0) {
    Value quotient = quotientOf(largest, numerics::divisorOf(row()));
    Value scale = numberOfScale(b_, row().scaleType,
                                scaleBits(b_, row().scaleType, quotient));
    return {scale, scale};
  }
  float steps =
      isCompressedTensors() ? numerics::kCompressedTensorsSteps : row().largest;
  Value scale = roundScale(quotientOf(largest, steps));
  if (isCompressedTensors()) {
    Value isZero = b_.isZero(scale);
    Value epsilon =
        b_.like(scale, numerics::epsilonOf(numerics::WeightType::kBF16));
    scale = b_.select(isZero, epsilon, scale);
  }
  return {scale, scale};
}

Value Grid::aboveOrdinary(Value scale) const {
  Value bits = b_.bitsOf(scale);
  return b_.subI(bits, b_.like(bits, kLeastOrdinary));
}

Value Grid::roundQuotient(Value quotients) const {
  Value rounded = roundNumbers(quotients);
  return b_.min(
      b_.max(rounded, b_.like(rounded, numerics::kCompressedTensorsLowest)),
      b_.like(rounded, numerics::kCompressedTensorsHighest));
}

// The rule: one division per element. A scale of zero gives NaN and infinities,
// which are mapped to the code of zero.
Value Grid::divide(Value numbers, Value scale) const {
  if (row().scaleType == numerics::ScaleType::kE8M0) {
    // The reciprocal of a power of two is exact, and none is zero.
    Value bits = scaleBits(b_, row().scaleType, scale);
    Value reciprocal = numberOfScale(b_, row().scaleType,
                                     b_.subI(b_.like(bits, 2 * 127), bits));
    return encode(b_.mul(numbers, spread(reciprocal, numbers)));
  }
  Value divisor = spread(scale, numbers);
  Value quotient = b_.div(numbers, divisor);
  if (isCompressedTensors()) // its scale is never zero
    return b_.bitsOf(
        b_.add(roundQuotient(quotient), b_.like(quotient, magic())));
  if (isInteger())
    quotient = b_.min(b_.max(quotient, b_.like(quotient, -row().largest)),
                      b_.like(quotient, row().largest));
  quotient =
      b_.select(isZero(scale, divisor), b_.like(quotient, 0.0f), quotient);
  return encode(quotient);
}

Value Grid::encode(Value quotients) const {
  switch (row().codeType) {
  case numerics::CodeType::kInteger:
    return b_.bitsOf(b_.add(quotients, b_.like(quotients, magic())));
  case numerics::CodeType::kE4M3:
    return codesOf(b_, quotients, kE4M3);
  case numerics::CodeType::kE2M1:
    return codesOf(b_, quotients, kE2M1);
  }
  llvm_unreachable("no other types of codes");
}

// Computes the same code with the reciprocal of a bf16 scale.
//
// Numbers and scale have eight significant bits. So a quotient is a half-way
// point between codes, or at least 2^-10 away from one. 3072 + x / s, rounded
// once to a multiple of 2^-12, has an error below 2^-12 and is exact at
// half-way points. The second rounding then treats those as the division would.
// An ordinary scale is amax / 7 or amax / 127 rounded to eight bits, so it is
// too small by at most a part in 2^8. Quotients therefore stay below 7.03 and
// 127.497, which round to codes without a clamp. An approximate reciprocal is
// accurate enough: 7.03 or 127.497 of its units in the last place are less than
// half of the first rounding's unit.
//
// The convention compressed_tensors rounds the quotient to bf16. The midpoint
// of two neighbouring bf16 numbers has nine significant bits, and no quotient
// of two eight-bit numbers equals it: each is at least a part in 2^17 away. The
// product with the reciprocal has an error below a part in 2^22, so it rounds
// to the same bf16.
Value Grid::multiply(Value numbers, Value reciprocal) const {
  if (isCompressedTensors()) {
    Value rounded = roundQuotient(b_.mul(numbers, spread(reciprocal, numbers)));
    return b_.bitsOf(b_.add(rounded, b_.like(rounded, magic())));
  }
  const float shift = 3072.0f;
  Value quotient =
      b_.fma(numbers, spread(reciprocal, numbers), b_.like(numbers, shift));
  return b_.bitsOf(b_.add(quotient, b_.like(quotient, magic() - shift)));
}

Value Grid::valuesOf(Value codes, Value scale) const {
  if (!isInteger()) {
    Value numbers = numbersOfCodes(b_, row(), codes);
    return b_.roundTo(b_.mul(numbers, spread(scale, numbers)),
                      b_.getBF16Type());
  }
  Value numbers = b_.floatsOf(codes);
  Value all = spread(scale, numbers);
  return roundNumbers(b_.mul(b_.sub(numbers, b_.like(numbers, magic())), all));
}

} // namespace nibble::kernels
