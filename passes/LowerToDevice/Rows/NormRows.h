// Rows of a root-mean-square norm, one per warp.
#pragma once

#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

namespace nibble::device {

// Each row of D elements has a warp. Lane l has elements l*V .. l*V+V-1 of
// every 32*V. The sum is one chain per lane, then the warp's tree, so its order
// depends on D only (N13).
struct NormRows {
  using Value = mlir::Value;

  int64_t size, width; // D and V
  mlir::Type element;
  double epsilon;

  NormRows(int64_t size, mlir::Type element, double epsilon);

  std::string key(llvm::StringRef name) const;
  // The number of rows of a buffer, as an index value on the host.
  Value count(Kernel &k, Value x) const {
    return k.mul(k.extent(x, 0), k.index(columnsOf(x) / size));
  }

  // Memory accesses; `row` and `column` are i32.
  Value load(Emitter &b, Value pointer, Value row, Value column) const;
  Value weight(Emitter &b, Value pointer, Value column) const;
  void store(Emitter &b, Value values, Value pointer, Value row,
             Value column) const;
  // Runs body(column) for the lane's columns.
  void forColumns(Emitter &b, llvm::function_ref<void(Value)> body) const;

  // The number of vectors of a row per lane, and whether the lane's registers
  // can hold all of them.
  int64_t vectors() const { return (size + 32 * width - 1) / (32 * width); }
  bool fitsRegisters() const { return vectors() * width <= 256; }
  // The column of the lane's vector i. `inside` runs body() only if that is in
  // the row.
  Value column(Emitter &b, int64_t i) const {
    return b.addI(b.mulI(b.lane(), width), 32 * width * i);
  }
  void inside(Emitter &b, int64_t i, llvm::function_ref<void()> body) const;
  // The lane's vectors of a row, in the element type; zero beyond the row.
  llvm::SmallVector<Value> hold(Emitter &b, Value pointer, Value row) const;

  // Sum over the row of x[i] * y[i], with one fused multiply-add each.
  Value
  dot(Emitter &b,
      llvm::function_ref<std::pair<Value, Value>(Value column)> terms) const;
  // 1 / sqrt(sum(x^2) / D + epsilon) of a row in memory or in registers.
  Value reciprocalRoot(Emitter &b, Value x, Value row) const;
  Value reciprocalRoot(Emitter &b, mlir::ValueRange held) const;
  // E(weight * E(x * r)), widened. The vectors have one width.
  Value scaled(Emitter &b, Value x, Value r, Value weight) const;

private:
  Value chain(Emitter &b, Value x, Value y, Value sum) const;
  Value rootOf(Emitter &b, Value sum) const;
};

} // namespace nibble::device
