// The grid on the elements of one thread (passes/Kernels/Grid.h).
#pragma once

#include "passes/Kernels/Grid.h"
#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// A piece is eight neighbours of a row, which one thread loads, quantizes and
// stores.
constexpr int64_t kPiece = 8;

using kernels::GridScale;

class Grid final : public kernels::Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : kernels::Grid(b, scheme), b_(b) {}

  // The scale for the largest magnitude, given by its float32 bits (i32).
  GridScale scaleOfBits(mlir::Value largest) const {
    return scaleOf(b_.floatsOf(largest));
  }
  // The scale as the packed weight stores it: the bits of the row's scale type,
  // in the low bits of an i32.
  mlir::Value storedBits(const GridScale &scale) const {
    return kernels::scaleBits(b_, row().scaleType, scale.stored);
  }
  // Codes of eight float32 numbers that are exact in bf16, as vector<8xi32>, as
  // `divide` and `multiply` return them.
  mlir::Value codes(mlir::Value numbers, mlir::Value scale) const {
    return codesOfPieces(numbers, scale).front();
  }
  // The same for several pieces, each with its own scale. One branch for all of
  // them chooses between division and reciprocal.
  llvm::SmallVector<mlir::Value>
  codesOfPieces(mlir::ArrayRef<mlir::Value> numbers,
                mlir::ArrayRef<mlir::Value> scales) const;
  // The values of stored codes, vector<8xi32> as kernels::numbersOfCodes takes
  // them.
  mlir::Value storedValues(mlir::Value codes, mlir::Value scale) const;

private:
  mlir::Value spread(mlir::Value scalar, mlir::Value) const override {
    return b_.splat(scalar, kPiece);
  }
  mlir::Value isZero(mlir::Value scale, mlir::Value) const override {
    return b_.isZero(scale);
  }
  mlir::Value quotientOf(mlir::Value largest, float steps) const override;
  mlir::Value roundScale(mlir::Value scale) const override;

  Emitter &b_;
};

// The text of a scheme in a key: "int4_g32_nibble".
std::string textOf(qat::SchemeAttr scheme);
// A part of the key of kernels that depend on the scheme only by how codes of
// four bits and their scales lie: nothing for int4, "_name" for another scheme.
std::string nibbleSuffix(qat::SchemeAttr scheme);

// Converts a stored scale, its bits in the low bits of an i32, to a bf16 in
// both halves of a register. This is exact.
mlir::Value bf16Pair(Emitter &b, numerics::ScaleType type, mlir::Value bits);
// Decodes a word of a slab (lib/Numerics/fragment.h) to the eight bf16 values
// of a fragment, vector<4xi32>. `low` is the scale of registers 0 and 2, `high`
// that of 1 and 3; each is a bf16 in both halves.
mlir::Value fragmentOf(Emitter &b, qat::SchemeAttr scheme, mlir::Value word,
                       mlir::Value low, mlir::Value high);

// Converts words of two bf16, vector<4xi32>, to vector<8xf32>; and back,
// exactly for numbers that are bf16.
mlir::Value floatsOfWords(Emitter &b, mlir::Value words);
mlir::Value wordsOfFloats(Emitter &b, mlir::Value floats);
// The largest magnitude of a piece, a bf16, in the high half of an i32, which
// makes it the bits of a float32.
mlir::Value largestOfWords(Emitter &b, mlir::Value words);
// The largest magnitudes of two pieces, that of `low` in the low half.
mlir::Value largestOfPieces(Emitter &b, mlir::Value low, mlir::Value high);

} // namespace nibble::device
