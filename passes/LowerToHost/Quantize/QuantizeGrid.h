// The grid on lanes (passes/Kernels/Grid.h), and the bytes of packed weights.
#pragma once

#include "passes/Kernels/Grid.h"
#include "passes/LowerToHost/Linear/LinearWeight.h"

namespace nibble::host {

using kernels::GridScale;

// Numbers are vector<16xf32>. A scale is a scalar; for scaleOf and
// aboveOrdinary it is a vector with one scale per lane.
class Grid final : public kernels::Grid {
public:
  Grid(Emitter &b, qat::SchemeAttr scheme) : kernels::Grid(b, scheme), b_(b) {}

  // The codes of vectors that share a scale: by the reciprocal of an ordinary
  // scale, by the rule for any other.
  llvm::SmallVector<mlir::Value> quantize(llvm::ArrayRef<mlir::Value> lanes,
                                          mlir::Value scale) const;
  // The low bits of a code that are stored.
  mlir::Value stored(mlir::Value code) const;

private:
  mlir::Value spread(mlir::Value scalar, mlir::Value) const override {
    return b_.splat(scalar);
  }
  mlir::Value isZero(mlir::Value, mlir::Value spread) const override {
    return b_.isZero(spread);
  }
  mlir::Value roundNumbers(mlir::Value numbers) const override {
    return roundLanesToBf16(b_, numbers);
  }

  Emitter &b_;
};

// Writes codes and scales of a packed weight to its bytes.
struct CodeWriter {
  qat::PackedType type;
  mlir::Value bytes; // memref<?xi8>

  const numerics::SchemeRow &schemeRow() const {
    return type.getScheme().row();
  }
  bool isNibble() const { return schemeRow().codeBits == 4; }
  bool isHostNibble() const {
    return isNibble() && type.getLayout() == qat::Layout::Host;
  }
  // Writes steps 0 .. codes.size()-1 of a block. Each is vector<16xi32> with
  // the code and its bias in the low bits of a lane. `lanes` are the valid
  // lanes of the last step. Padding of words becomes code 0. In the host layout
  // `base` may have been added to codes of four bits.
  void writeBlock(Emitter &b, mlir::Value row, mlir::Value block,
                  llvm::ArrayRef<mlir::Value> codes, int64_t lanes,
                  uint32_t base = 0) const;
  // Writes the scale at PackedCodes::scaleIndex, a number of the row's scale
  // type in float32. A vector writes as many scales from there on.
  void writeScale(Emitter &b, mlir::Value index, mlir::Value scale) const;
};

} // namespace nibble::host
