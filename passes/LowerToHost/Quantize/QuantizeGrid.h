// Putting lanes on the grid (N3 to N5 and the other schemes): the vector form
// of lib/Numerics/grid.h, the same bits.
#pragma once

#include "passes/LowerToHost/Linear/LinearWeight.h"

namespace nibble::host {

// float32: a scalar, or a vector with one group's scale in each lane.
struct GridScale {
  mlir::Value used;   // divides; multiplies in the weight that is trained on
  mlir::Value stored; // what the packed weight keeps: a bf16 number in float32,
                      // the same as `used` but for the convention slime
};

class Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : b(b), scheme(scheme) {}

  bool isFp8() const { return scheme.getKind() == qat::Kind::Fp8; }
  // Whether a bf16 number's code may be had by the reciprocal of an ordinary
  // scale.
  bool hasReciprocals() const {
    return !isFp8() && scheme.getConvention() != qat::Convention::Slime;
  }
  // The largest magnitude (>= 0) to the group's or block's scale.
  GridScale scaleOf(mlir::Value largest) const;
  // How far a scale is above the least ordinary one, as an integer; the
  // ordinary ones are below `ordinaryRange`.
  mlir::Value aboveOrdinary(mlir::Value scale) const;
  static const int32_t ordinaryRange;
  // vector<16xf32>s that share a scale (scalar) to their codes, vector<16xi32>:
  // of int4 u = q + 8 and of int8 q, as 1.5
  // * 2^23 + it in the bits of a float32, so that its low bits are the code; of
  // fp8 the E4M3 byte.
  llvm::SmallVector<mlir::Value> quantize(llvm::ArrayRef<mlir::Value> lanes,
                                          mlir::Value scale) const;
  // The same of sixteen lanes by the rule, and by the reciprocal (scalar) of an
  // ordinary scale.
  mlir::Value divide(mlir::Value lanes, mlir::Value scale) const;
  mlir::Value multiply(mlir::Value lanes, mlir::Value reciprocal) const;
  // What quantize gave is an int4 code u plus this, modulo 2^32.
  static const int32_t int4Base;
  // The bits of a code that count: what quantize gave, without the rest.
  mlir::Value stored(mlir::Value code) const;
  // What quantize gave, times the scale (scalar), rounded to bf16 (N5).
  mlir::Value value(mlir::Value code, mlir::Value scale) const;

private:
  bool isCompressedTensors() const {
    return scheme.getConvention() == qat::Convention::CompressedTensors;
  }
  // The largest code's magnitude where the convention is not
  // compressed_tensors.
  float highest() const;
  // Quotients of bf16 numbers by a bf16 scale to what is rounded for the code,
  // by the convention compressed_tensors.
  mlir::Value roundQuotient(mlir::Value lanes) const;
  // What is added to a quotient to have its code in the low bits.
  float magic() const;
  Emitter &b;
  qat::SchemeAttr scheme;
};

// Writes codes and scales of a packed weight to its bytes.
struct CodeWriter {
  qat::PackedType type;
  mlir::Value bytes; // memref<?xi8>

  bool isHostInt4() const {
    return type.getScheme().getKind() == qat::Kind::Int4 &&
           type.getLayout() == qat::Layout::Host;
  }
  // Steps 0 .. codes.size()-1 of a block, each vector<16xi32> in the low bits
  // of a lane; `lanes` are the valid lanes of the last. What only fills words
  // up becomes 8, q = 0. In the layout of the host codes may have `base` added.
  void writeBlock(Emitter &b, mlir::Value row, mlir::Value block,
                  llvm::ArrayRef<mlir::Value> codes, int64_t lanes,
                  uint32_t base = 0) const;
  // The scale at PackedCodes::scaleIndex; of int4 and int8 a bf16 number in
  // float32. A vector: as many from there on.
  void writeScale(Emitter &b, mlir::Value index, mlir::Value scale) const;
};

} // namespace nibble::host
