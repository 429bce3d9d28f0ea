// The grid over what one thread has (passes/Kernels/Grid.h).
#pragma once

#include "passes/Kernels/Grid.h"
#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::device {

// Eight neighbours of a row are a piece: what one thread loads, quantizes and
// stores.
constexpr int64_t kPiece = 8;

using kernels::GridScale;

class Grid final : public kernels::Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : kernels::Grid(b, scheme), b(b) {}

  // The scale by the bits (i32) of the largest magnitude as a float32.
  GridScale scaleOfBits(mlir::Value largest) const {
    return scaleOf(b.floatsOf(largest));
  }
  // What the packed weight keeps of a scale: the bits (i32) of a bf16, or of a
  // float32 (fp8).
  mlir::Value storedBits(const GridScale &scale) const;
  // Codes of eight float32 numbers that are bf16, vector<8xi32>, as divide and
  // multiply give them.
  mlir::Value codes(mlir::Value numbers, mlir::Value scale) const {
    return codesOfPieces(numbers, scale).front();
  }
  // The same of some pieces, each with its scale, at one decision for all of
  // how to divide.
  llvm::SmallVector<mlir::Value>
  codesOfPieces(mlir::ArrayRef<mlir::Value> numbers,
                mlir::ArrayRef<mlir::Value> scales) const;
  // What stored codes stand for, vector<8xi32>: u, sign-extended q, or the
  // byte.
  mlir::Value storedValues(mlir::Value codes, mlir::Value scale) const;

private:
  mlir::Value spread(mlir::Value scalar, mlir::Value) const override {
    return b.splat(scalar, kPiece);
  }
  mlir::Value isZero(mlir::Value scale, mlir::Value) const override {
    return b.isZero(scale);
  }
  mlir::Value quotientOf(mlir::Value largest, float steps) const override;
  mlir::Value roundScale(mlir::Value scale) const override;

  Emitter &b;
};

// For a key: "int4_g32_nibble".
std::string textOf(qat::SchemeAttr scheme);

// The two float32 numbers of each word of two bf16, vector<4xi32> to
// vector<8xf32>, and back (exact for numbers that are bf16).
mlir::Value floatsOfWords(Emitter &b, mlir::Value words);
mlir::Value wordsOfFloats(Emitter &b, mlir::Value floats);
// The largest magnitude among the eight of a piece, a bf16, in the high half of
// an i32: the bits of a float32.
mlir::Value largestOfWords(Emitter &b, mlir::Value words);
// Those of two pieces, `low`'s in the low half.
mlir::Value largestOfPieces(Emitter &b, mlir::Value low, mlir::Value high);

} // namespace nibble::device
