#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

#include "lib/Numerics/compressed_tensors.h"

#include <bit>

using namespace mlir;

namespace nibble::hopper {

Value Grid::bits(Value floats) const {
  Type type = b_.getI32Type();
  if (auto vector = dyn_cast<VectorType>(floats.getType()))
    type = vector.clone(type);
  return b_.bitcast(floats, type);
}

Value Grid::floats(Value bits) const {
  Type type = b_.getF32Type();
  if (auto vector = dyn_cast<VectorType>(bits.getType()))
    type = vector.clone(type);
  return b_.bitcast(bits, type);
}

GridScale Grid::scaleOf(Value largest) const {
  Value amax = floats(largest);
  if (isFp8()) {
    Value scale = b_.div(amax, b_.f32(448));
    return {scale, bits(scale)};
  }
  // The bits of a float32 that is the bf16.
  auto rounded = [&](Value scale) { return b_.packBf16(b_.f32(0), scale); };
  if (isInt4() && scheme_.getConvention() == qat::Convention::Slime) {
    Value scale =
        b_.max(b_.mul(amax, floats(b_.i32(0x3E124925))), b_.f32(1e-5f));
    return {scale, b_.shrI(rounded(scale), 16)};
  }
  float steps =
      isCompressedTensors() ? numerics::kCompressedTensorsSteps : highest();
  // A quotient of a bf16 by 7, 7.5 or 127 is a bf16 or at least 2^-17 of itself
  // away from where the rounding to bf16 changes, so that the product with the
  // float32 reciprocal is rounded to the same one. Tested for each bf16.
  Value used = rounded(b_.mul(amax, b_.f32(1.0f / steps)));
  if (isCompressedTensors()) {
    const float epsilon = numerics::epsilonOf(numerics::WeightType::kBF16);
    used = b_.select(b_.equal(used, 0), b_.i32(std::bit_cast<int32_t>(epsilon)),
                     used);
  }
  return {floats(used), b_.shrI(used, 16)};
}

Value Grid::roundQuotient(Value quotients) const {
  Value rounded = b_.roundTo(quotients, b_.getBF16Type());
  return b_.min(
      b_.max(rounded, b_.like(rounded, numerics::kCompressedTensorsLowest)),
      b_.like(rounded, numerics::kCompressedTensorsHighest));
}

// By the rule: one division for each element. A scale of zero gives NaN and
// infinities, whose code is that of zero.
Value Grid::divide(Value numbers, Value scale) const {
  Value quotient = b_.div(numbers, b_.splat(scale, kPiece));
  if (isCompressedTensors()) // whose scale is never zero
    return bits(b_.add(roundQuotient(quotient), b_.like(quotient, magic())));
  if (!isFp8())
    quotient = b_.min(b_.max(quotient, b_.like(quotient, -highest())),
                      b_.like(quotient, highest()));
  Value isZero =
      arith::CmpFOp::create(b_, arith::CmpFPredicate::OEQ, scale, b_.f32(0));
  quotient = b_.select(isZero, b_.zeros(kPiece), quotient);
  return isFp8() ? encode(quotient)
                 : bits(b_.add(quotient, b_.like(quotient, magic())));
}

// The same code by the reciprocal of a bf16 scale. Numbers and scale have eight
// significant bits, so that a quotient is a half-way point of the codes or at
// least 2^-10 away from one. 3072 + x / s, rounded once to a multiple of 2^-12,
// is off by less than 2^-12 and exact at half-way points, which the second
// rounding then treats as the division would. An ordinary scale, amax / 7 or
// amax / 127 rounded to eight bits, is at most a part in 2^8 too small:
// quotients stay below 7.03 and 127.497, which round to codes without a clamp.
//
// The convention compressed_tensors rounds the quotient to bf16. Between two
// bf16 numbers lies one of nine significant bits, which no quotient of two
// numbers of eight bits is: it is at least a part in 2^17 away. The product
// with the reciprocal is off by less than a part in 2^22 and is rounded to the
// same bf16.
Value Grid::multiply(Value numbers, Value reciprocal) const {
  if (isCompressedTensors()) {
    Value rounded =
        roundQuotient(b_.mul(numbers, b_.splat(reciprocal, kPiece)));
    return bits(b_.add(rounded, b_.like(rounded, magic())));
  }
  const float shift = 3072.0f;
  Value quotient =
      b_.fma(numbers, b_.splat(reciprocal, kPiece), b_.like(numbers, shift));
  return bits(b_.add(quotient, b_.like(quotient, magic() - shift)));
}

// The reciprocal of a scale near the ends of the range is not a normal number:
// those divide. An approximate one is near enough: 7.03 or 127.497 of its units
// in the last place are less than half of what the first rounding keeps.
SmallVector<Value> Grid::codesOfPieces(ArrayRef<Value> numbers,
                                       ArrayRef<Value> scales) const {
  auto each = [&](llvm::function_ref<Value(Value, Value)> codesOf) {
    SmallVector<Value> elements;
    for (auto [piece, scale] : llvm::zip(numbers, scales)) {
      Value own = codesOf(piece, scale);
      for (int64_t i = 0; i < kPiece; ++i)
        elements.push_back(b_.extract(own, i));
    }
    return b_.fromElements(elements);
  };
  auto byDivision = [&] {
    return each([&](Value piece, Value scale) { return divide(piece, scale); });
  };
  Value all;
  if (hasReciprocals()) {
    const int32_t least = std::bit_cast<int32_t>(0x1p-120f),
                  range = std::bit_cast<int32_t>(0x1p120f) - least;
    Value ordinary;
    for (Value scale : scales) {
      Value own = b_.less(b_.subI(bits(scale), least), range);
      ordinary = ordinary ? b_.both(ordinary, own) : own;
    }
    auto byReciprocal = [&] {
      return each([&](Value piece, Value scale) {
        return multiply(piece, b_.approximateReciprocal(scale));
      });
    };
    all = b_.ifValue(ordinary, byReciprocal, byDivision);
  } else {
    all = byDivision();
  }
  SmallVector<Value> codes;
  for (size_t piece = 0; piece < numbers.size(); ++piece) {
    SmallVector<Value> own;
    for (int64_t i = 0; i < kPiece; ++i)
      own.push_back(b_.extract(all, static_cast<int64_t>(piece) * kPiece + i));
    codes.push_back(b_.fromElements(own));
  }
  return codes;
}

// E4M3 of float32 numbers without NaN: round to nearest even, magnitudes above
// 448 become 448.
Value Grid::encode(Value numbers) const {
  Value all = bits(numbers);
  auto number = [&](int32_t value) { return b_.like(all, value); };
  Value sign = b_.andI(b_.shrI(all, number(24)), number(0x80)),
        magnitude = b_.andI(all, number(0x7FFFFFFF));
  Value odd = b_.andI(b_.shrI(magnitude, number(20)), number(1));
  Value rounded = b_.addI(b_.addI(magnitude, number(0x7FFFF)), odd);
  Value normal = b_.subI(b_.shrI(rounded, number(20)), number(120 << 3));
  // Below 2^-6 a code counts in steps of 2^-9: adding 1.5 * 2^14 puts that step
  // at the last place.
  Value shifted = bits(b_.add(floats(magnitude), b_.like(numbers, 0x1.8p14f)));
  Value tiny = b_.andI(shifted, number(0xF));
  Value code =
      b_.select(b_.less(magnitude, number(std::bit_cast<int32_t>(448.0f))),
                normal, number(0x7E));
  code = b_.select(b_.less(magnitude, number(std::bit_cast<int32_t>(0x1p-6f))),
                   tiny, code);
  return b_.orI(code, sign);
}

// Exponent and mantissa where a float32 has them, then the difference of the
// exponents' biases as a factor: subnormal codes come out right as well. 0x7F
// is NaN.
Value Grid::decode(Value codes) const {
  auto number = [&](int32_t value) { return b_.like(codes, value); };
  Value magnitude = b_.andI(codes, number(0x7F));
  Value scaled = floats(b_.shlI(magnitude, number(20)));
  Value value = b_.mul(scaled, b_.like(scaled, 0x1p120));
  Value sign = b_.shlI(b_.andI(codes, number(0x80)), number(24));
  Value isNaN = b_.equal(magnitude, number(0x7F));
  return floats(
      b_.orI(b_.select(isNaN, number(0x7FC00000), bits(value)), sign));
}

Value Grid::values(Value codes, Value scale) const {
  Value code = isFp8() ? decode(codes)
                       : b_.sub(floats(codes), b_.like(floats(codes), magic()));
  return b_.roundTo(b_.mul(code, b_.splat(scale, kPiece)), b_.getBF16Type());
}

Value Grid::storedValues(Value codes, Value scale) const {
  if (isFp8())
    return values(codes, scale);
  Type floatType = cast<VectorType>(codes.getType()).clone(b_.getF32Type());
  Value code = arith::SIToFPOp::create(
      b_, floatType, isInt4() ? b_.subI(codes, b_.like(codes, 8)) : codes);
  return b_.roundTo(b_.mul(code, b_.splat(scale, kPiece)), b_.getBF16Type());
}

std::string textOf(qat::SchemeAttr scheme) {
  return (qat::stringifyKind(scheme.getKind()) + "_g" +
          llvm::Twine(scheme.getGroupSize()) + "_" +
          qat::stringifyConvention(scheme.getConvention()))
      .str();
}

Value floatsOfWords(Emitter &b, Value words) {
  SmallVector<Value> bits;
  for (int64_t i = 0; i < kPiece / 2; ++i) {
    Value word = b.extract(words, i);
    bits.push_back(b.shlI(word, 16));
    bits.push_back(b.andI(word, -0x10000));
  }
  return b.bitcast(b.fromElements(bits), b.vectorOf(b.getF32Type(), kPiece));
}

Value wordsOfFloats(Emitter &b, Value floats) {
  Value bits = b.bitcast(floats, b.vectorOf(b.getI32Type(), kPiece));
  SmallVector<Value> words;
  for (int64_t i = 0; i < kPiece / 2; ++i)
    words.push_back(b.orI(b.shrI(b.extract(bits, 2 * i), 16),
                          b.andI(b.extract(bits, 2 * i + 1), -0x10000)));
  return b.fromElements(words);
}

// The largest magnitudes of the words' low halves and of their high halves.
static Value largestHalves(Emitter &b, Value words) {
  Value largest;
  for (int64_t i = 0; i < kPiece / 2; ++i) {
    Value magnitudes = b.andI(b.extract(words, i), 0x7FFF7FFF);
    largest = largest ? b.maxHalves(largest, magnitudes) : magnitudes;
  }
  return largest;
}

Value largestOfPieces(Emitter &b, Value low, Value high) {
  Value a = largestHalves(b, low), c = largestHalves(b, high);
  Value lows = b.orI(b.andI(a, 0xFFFF), b.shlI(c, 16)),
        highs = b.orI(b.shrI(a, 16), b.andI(c, -0x10000));
  return b.maxHalves(lows, highs);
}

Value largestOfWords(Emitter &b, Value words) {
  Value halves = largestHalves(b, words);
  return b.andI(b.maxHalves(halves, b.shlI(halves, 16)), -0x10000);
}

} // namespace nibble::hopper
