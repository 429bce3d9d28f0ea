// The scales of a row's groups, eight at a time. One group alone would take a
// chain of shuffles and divisions.
#pragma once

#include "passes/LowerToHost/Quantize/QuantizeGrid.h"

namespace nibble::host {

inline constexpr int64_t kScaleLanes = 8;

// The scales of the groups of one row of a bf16 matrix.
struct GroupScales {
  // The number of groups, and the elements of a group (a multiple of sixteen).
  int64_t groups, size;
  // The thread's memref<? x f32> with one element per group.
  mlir::Value scales, reciprocals;
  mlir::Value areOrdinary; // i1: whether all reciprocals may be used

  static GroupScales allocate(Emitter &b, int64_t k, int64_t size);
  // Fills the buffers for `row` of `matrix`. store(first group, stored scales)
  // gets eight scales at a time, or the remaining ones at the end of a row.
  void
  find(Emitter &b, const Grid &grid, mlir::Value matrix, mlir::Value row,
       llvm::function_ref<void(mlir::Value first, mlir::Value stored)> store);

private:
  mlir::Value largest(Emitter &b, mlir::Value matrix, mlir::Value row,
                      mlir::Value first, int64_t count) const;
};

} // namespace nibble::host
