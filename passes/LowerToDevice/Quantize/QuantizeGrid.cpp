// Builds the grid with device instructions.
#include "passes/LowerToDevice/Quantize/QuantizeGrid.h"

#include "passes/LowerToDevice/Emit/InlineAssembly.h"

using namespace mlir;

namespace nibble::device {

// The quotient of a bf16 by 7, 7.5 or 127 is a bf16, or at least 2^-17 of
// itself away from where the rounding to bf16 changes. The product with the
// float32 reciprocal therefore rounds to the same bf16. This was tested for
// each bf16.
Value Grid::quotientOf(Value largest, float steps) const {
  return b_.mul(largest, b_.f32(1.0f / steps));
}

// One instruction rounds two numbers; the second is 0.
Value Grid::roundScale(Value scale) const {
  return b_.floatsOf(b_.packBf16(b_.f32(0), scale));
}

// Scales whose reciprocal is not a normal number use division.
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
    Value ordinary;
    for (Value scale : scales) {
      Value own = b_.less(aboveOrdinary(scale), kOrdinaryRange);
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

Value Grid::storedValues(Value codes, Value scale) const {
  Value numbers = kernels::numbersOfCodes(b_, row(), codes);
  return b_.roundTo(b_.mul(numbers, b_.splat(scale, kPiece)), b_.getBF16Type());
}

std::string textOf(qat::SchemeAttr scheme) {
  return (numerics::nameOf(scheme.getKind()) + llvm::Twine("_g") +
          llvm::Twine(scheme.getGroupSize()) + "_" +
          numerics::nameOf(scheme.getConvention()))
      .str();
}

std::string nibbleSuffix(qat::SchemeAttr scheme) {
  return scheme.getKind() == qat::Kind::kInt4
             ? ""
             : std::string("_") + scheme.row().name;
}

Value bf16Pair(Emitter &b, numerics::ScaleType type, Value bits) {
  if (type == numerics::ScaleType::kBF16)
    return b.orI(bits, b.shlI(bits, 16));
  Value high = b.bitsOf(kernels::numberOfScale(b, type, bits));
  return b.orI(high, b.shrI(high, 16));
}

// Exponent and mantissa where a bf16 has them make the number times 2^-126.
static Value fragmentOfE2M1(Emitter &b, Value word, Value low, Value high) {
  auto times = [&](Value a, Value c) {
    return emitValue(b, "mul.rn.bf16x2 $0, $1, $2;", b.getI32Type(), {a, c});
  };
  auto moved = [&](int64_t left) {
    return left < 0 ? b.shrI(word, -left) : b.shlI(word, left);
  };
  SmallVector<Value> registers;
  for (int64_t i = 0; i < 4; ++i) {
    Value tiny = b.orI(b.andI(moved(6 - 4 * i), 0x01C001C0),
                       b.andI(moved(12 - 4 * i), 0x80008000));
    Value number = times(tiny, b.i32(0x7E807E80)); // 2^126
    registers.push_back(times(number, i % 2 ? high : low));
  }
  return b.fromElements(registers);
}

Value fragmentOf(Emitter &b, qat::SchemeAttr scheme, Value word, Value low,
                 Value high) {
  if (scheme.row().codeType == numerics::CodeType::kE2M1)
    return fragmentOfE2M1(b, word, low, high);
  return hopper::DequantizeOp::create(b, b.vectorOf(b.getI32Type(), 4), word,
                                      low, high);
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
  Value a = largestHalves(b, low);
  Value c = largestHalves(b, high);
  Value lows = b.orI(b.andI(a, 0xFFFF), b.shlI(c, 16));
  Value highs = b.orI(b.shrI(a, 16), b.andI(c, -0x10000));
  return b.maxHalves(lows, highs);
}

Value largestOfWords(Emitter &b, Value words) {
  Value halves = largestHalves(b, words);
  return b.andI(b.maxHalves(halves, b.shlI(halves, 16)), -0x10000);
}

} // namespace nibble::device
