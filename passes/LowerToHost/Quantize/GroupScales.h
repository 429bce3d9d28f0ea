// The scales of a row's groups, eight at a time: what one group alone would do
// in a chain of shuffles and divisions.
#pragma once

#include "passes/LowerToHost/Quantize/QuantizeGrid.h"

namespace nibble::host {

inline constexpr int64_t kScaleLanes = 8;

// The scales of the groups of one row of a bf16 matrix.
struct GroupScales {
  int64_t groups,
      size; // of how many groups, of how many elements (a multiple of sixteen)
  mlir::Value scales,
      reciprocals;         // memref<? x f32> of the thread, one element a group
  mlir::Value areOrdinary; // i1: every reciprocal may be multiplied by

  static GroupScales allocate(Emitter &b, int64_t k, int64_t size);
  // Fills the buffers for `row` of `matrix`; store(first group, the scales as
  // they are stored) gets eight of them, or, at the end of a row, as many as
  // are left.
  void
  find(Emitter &b, const Grid &grid, mlir::Value matrix, mlir::Value row,
       llvm::function_ref<void(mlir::Value first, mlir::Value stored)> store);

private:
  mlir::Value largest(Emitter &b, mlir::Value matrix, mlir::Value row,
                      mlir::Value first, int64_t count) const;
};

} // namespace nibble::host
