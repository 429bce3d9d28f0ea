// Rows of a root-mean-square norm: what a warp does with the one that it has.
#pragma once

#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

namespace nibble::device {

// A warp for each row of D elements. Lane l has elements l*V .. l*V+V-1 of
// every 32*V: one chain in each lane, then the warp's tree, an order of D only
// (N13).
struct NormRows {
  using Value = mlir::Value;

  int64_t size, width; // D and V
  mlir::Type element;
  double epsilon;

  NormRows(int64_t size, mlir::Type element, double epsilon);

  std::string key(llvm::StringRef name) const;
  // The number of rows of a buffer of whole rows, an index value on the host.
  Value count(Kernel &k, Value x) const {
    return k.mul(k.extent(x, 0), k.index(columnsOf(x) / size));
  }

  // Memory; `row` and `column` are i32.
  Value load(Emitter &b, Value pointer, Value row, Value column) const;
  Value weight(Emitter &b, Value pointer, Value column) const;
  void store(Emitter &b, Value values, Value pointer, Value row,
             Value column) const;
  // body(column) for the lane's columns.
  void forColumns(Emitter &b, llvm::function_ref<void(Value)> body) const;

  // Vectors of a row that a lane has, and whether a lane's registers hold all
  // of them.
  int64_t vectors() const { return (size + 32 * width - 1) / (32 * width); }
  bool fitsRegisters() const { return vectors() * width <= 256; }
  // Column of the lane's vector i, and body() where that lies inside the row.
  Value column(Emitter &b, int64_t i) const {
    return b.addI(b.mulI(b.lane(), width), 32 * width * i);
  }
  void inside(Emitter &b, int64_t i, llvm::function_ref<void()> body) const;
  // The lane's vectors of a row, in the element type; zeros beyond the row.
  llvm::SmallVector<Value> hold(Emitter &b, Value pointer, Value row) const;

  // Sum over the row of x[i] * y[i], one fused multiply-add each.
  Value
  dot(Emitter &b,
      llvm::function_ref<std::pair<Value, Value>(Value column)> terms) const;
  // 1 / sqrt(sum(x^2) / D + epsilon), of a row in memory or in registers.
  Value reciprocalRoot(Emitter &b, Value x, Value row) const;
  Value reciprocalRoot(Emitter &b, mlir::ValueRange held) const;
  // E(weight * E(x * r)), widened; vectors of one width.
  Value scaled(Emitter &b, Value x, Value r, Value weight) const;

private:
  Value chain(Emitter &b, Value x, Value y, Value sum) const;
  Value rootOf(Emitter &b, Value sum) const;
};

} // namespace nibble::device
