// Putting lanes on the grid (N3 to N5 and the other schemes): the vector form of lib/Numerics/grid.h, the same bits.
#pragma once

#include "passes/LowerToHost/LinearWeight.h"

namespace nibble::host {

// float32 scalars, or splats of them.
struct GridScale {
  mlir::Value used; // divides; multiplies in the weight that is trained on
  mlir::Value
      stored; // what the packed weight keeps: a bf16 number in float32, the same as `used` but for the convention slime
};

class Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : b(b), scheme(scheme) {}

  bool isFp8() const { return scheme.getKind() == qat::Kind::Fp8; }
  // The largest magnitude (scalar, >= 0) to the group's or block's scale.
  GridScale scaleOf(mlir::Value largest) const;
  // vector<16xf32> of numbers over the splat scale to the numbers that the codes are (of fp8 to E4M3 bytes,
  // vector<16xi32>).
  mlir::Value quantize(mlir::Value lanes, mlir::Value scale) const;
  // What quantize gave, as the integers that are stored: of int4 u = q + 8. vector<16xi32>.
  mlir::Value stored(mlir::Value codes) const;
  // What quantize gave, times the scale, rounded to bf16 (N5).
  mlir::Value value(mlir::Value codes, mlir::Value scale) const;

private:
  Emitter &b;
  qat::SchemeAttr scheme;
};

// Writes codes and scales of a packed weight to its bytes.
struct CodeWriter {
  qat::PackedType type;
  mlir::Value bytes; // memref<?xi8>

  // Steps 0 .. codes.size()-1 of a block, each vector<16xi32> in the low bits of a lane; `lanes` are the valid lanes of
  // the last. What only fills words up becomes 8, q = 0.
  void writeBlock(Emitter &b, mlir::Value row, mlir::Value block, llvm::ArrayRef<mlir::Value> codes,
                  int64_t lanes) const;
  // The scale at PackedCodes::scaleIndex; of int4 and int8 a bf16 number in float32.
  void writeScale(Emitter &b, mlir::Value index, mlir::Value scale) const;
};

} // namespace nibble::host
