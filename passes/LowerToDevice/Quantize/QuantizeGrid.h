// The grid in a kernel: scale, code and value of what one thread has
// (lib/Numerics/grid.h, N3 to N5), with the same bits.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::hopper {

// Eight neighbours of a row are a piece: what one thread loads, quantizes and
// stores.
constexpr int64_t kPiece = 8;

// Bits of 1.5 * 2^23, which adds a float32 up to a whole number.
constexpr int32_t kAboveCode = 0x4B400000;

struct GridScale {
  mlir::Value used;   // float32: divides in quantize, multiplies in the weight
                      // that is trained on
  mlir::Value stored; // i32: the bits of a bf16, or of a float32 (fp8)
};

class Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : b_(b), scheme_(scheme) {}

  // `largest` is the bits (i32) of the group's or block's largest magnitude as
  // a float32.
  GridScale scaleOf(mlir::Value largest) const;
  // Codes of eight float32 numbers that are bf16, vector<8xi32>: in the low
  // bits u = q + 8 (int4), q in two's complement (int8) or E4M3 (fp8); of the
  // integers the rest of the bits makes a float32 of it that `value` reads: it
  // is kAboveCode + u of int4.
  mlir::Value codes(mlir::Value numbers, mlir::Value scale) const {
    return codesOfPieces(numbers, scale).front();
  }
  // The same of some pieces, each with its scale, at one decision for all of
  // how to divide.
  llvm::SmallVector<mlir::Value>
  codesOfPieces(mlir::ArrayRef<mlir::Value> numbers,
                mlir::ArrayRef<mlir::Value> scales) const;
  // What the codes stand for, float32 numbers that are bf16; `codes` as they
  // come from `codes`.
  mlir::Value values(mlir::Value codes, mlir::Value scale) const;
  // The same of stored codes, vector<8xi32>: u, sign-extended q, or the byte.
  mlir::Value storedValues(mlir::Value codes, mlir::Value scale) const;

private:
  bool isInt4() const { return scheme_.getKind() == qat::Kind::Int4; }
  bool isFp8() const { return scheme_.getKind() == qat::Kind::Fp8; }
  bool hasReciprocals() const {
    return !isFp8() && scheme_.getConvention() != qat::Convention::Slime;
  }
  bool isCompressedTensors() const {
    return scheme_.getConvention() == qat::Convention::CompressedTensors;
  }
  // The largest code's magnitude where the convention is not
  // compressed_tensors.
  float highest() const {
    return scheme_.getKind() == qat::Kind::Int8 ? 127.0f : 7.0f;
  }
  // 1.5 * 2^23 puts the unit at the last place of a float32, half to even; the
  // eight of u = q + 8 is even as well.
  float magic() const { return 0x1.8p23f + (isInt4() ? 8.0f : 0.0f); }
  mlir::Value divide(mlir::Value numbers, mlir::Value scale) const;
  mlir::Value multiply(mlir::Value numbers, mlir::Value reciprocal) const;
  // Quotients of bf16 numbers by a bf16 scale to what is rounded for the code,
  // by the convention compressed_tensors.
  mlir::Value roundQuotient(mlir::Value quotients) const;
  mlir::Value encode(mlir::Value numbers) const;
  mlir::Value decode(mlir::Value codes) const;
  mlir::Value bits(mlir::Value floats) const;
  mlir::Value floats(mlir::Value bits) const;

  Emitter &b_;
  qat::SchemeAttr scheme_;
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

} // namespace nibble::hopper
