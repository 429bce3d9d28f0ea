// Builds the grid with device instructions.
#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

using namespace mlir;

namespace nibble::device {

// The quotient of a bf16 by 7, 7.5 or 127 is a bf16, or at least 2^-17 of
// itself away from where the rounding to bf16 changes. The product with the
// float32 reciprocal therefore rounds to the same bf16. This was tested for
// each bf16.
Value Grid::quotientOf(Value largest, float steps) const {
  return b.mul(largest, b.f32(1.0f / steps));
}

// One instruction rounds two numbers; the second is 0.
Value Grid::roundScale(Value scale) const {
  return b.floatsOf(b.packBf16(b.f32(0), scale));
}

Value Grid::storedBits(const GridScale &scale) const {
  Value bits = b.bitsOf(scale.stored);
  return isFp8() ? bits : b.shrI(bits, 16);
}

// Scales whose reciprocal is not a normal number use division.
SmallVector<Value> Grid::codesOfPieces(ArrayRef<Value> numbers,
                                       ArrayRef<Value> scales) const {
  auto each = [&](llvm::function_ref<Value(Value, Value)> codesOf) {
    SmallVector<Value> elements;
    for (auto [piece, scale] : llvm::zip(numbers, scales)) {
      Value own = codesOf(piece, scale);
      for (int64_t i = 0; i < kPiece; ++i)
        elements.push_back(b.extract(own, i));
    }
    return b.fromElements(elements);
  };
  auto byDivision = [&] {
    return each([&](Value piece, Value scale) { return divide(piece, scale); });
  };
  Value all;
  if (hasReciprocals()) {
    Value ordinary;
    for (Value scale : scales) {
      Value own = b.less(aboveOrdinary(scale), kOrdinaryRange);
      ordinary = ordinary ? b.both(ordinary, own) : own;
    }
    auto byReciprocal = [&] {
      return each([&](Value piece, Value scale) {
        return multiply(piece, b.approximateReciprocal(scale));
      });
    };
    all = b.ifValue(ordinary, byReciprocal, byDivision);
  } else {
    all = byDivision();
  }
  SmallVector<Value> codes;
  for (size_t piece = 0; piece < numbers.size(); ++piece) {
    SmallVector<Value> own;
    for (int64_t i = 0; i < kPiece; ++i)
      own.push_back(b.extract(all, static_cast<int64_t>(piece) * kPiece + i));
    codes.push_back(b.fromElements(own));
  }
  return codes;
}

Value Grid::storedValues(Value codes, Value scale) const {
  if (isFp8())
    return valuesOf(codes, scale);
  Type floatType = cast<VectorType>(codes.getType()).clone(b.getF32Type());
  Value code = arith::SIToFPOp::create(
      b, floatType, isInt4() ? b.subI(codes, b.like(codes, 8)) : codes);
  return b.roundTo(b.mul(code, b.splat(scale, kPiece)), b.getBF16Type());
}

std::string textOf(qat::SchemeAttr scheme) {
  return (numerics::nameOf(scheme.getKind()) + llvm::Twine("_g") +
          llvm::Twine(scheme.getGroupSize()) + "_" +
          numerics::nameOf(scheme.getConvention()))
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

} // namespace nibble::device
