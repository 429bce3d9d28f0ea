// The builder of host kernels, whose values are float32 lanes.
//
// A kernel's body works on vector<16xf32>, the sixteen lanes of N11, on every
// CPU; LLVM splits them to the machine's width. Loads widen bf16, stores round
// to nearest even. Every helper states the bits that it guarantees.
#pragma once

#include "passes/Kernels/Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace nibble::host {

inline constexpr int64_t kLanes = 16;

class Emitter : public kernels::Emitter {
public:
  using kernels::Emitter::Emitter;

  Value index(int64_t value);
  Value lanes(float value); // vector<16xf32> with the value in each lane
  Value splat(Value scalar, int64_t width = kLanes);

  // Index arithmetic, in addition to the base class.
  Value ceilDivI(Value a, int64_t b); // unsigned
  Value maxI(Value a, Value b);       // signed
  Value lessI(Value a, Value b);      // signed
  Value toIndex(Value i32);

  // Memory. `indices` address the first of sixteen consecutive elements along
  // the last dimension.
  Value dim(Value memref, int64_t dimension);
  // One element, widened to float32; integers stay.
  Value load(Value memref, mlir::ValueRange indices);
  // One float32, rounded to the element type.
  void store(Value value, Value memref, mlir::ValueRange indices);
  Value loadLanes(Value memref, mlir::ValueRange indices); // vector<16xf32>
  void storeLanes(Value lanes, Value memref, mlir::ValueRange indices);
  // The first `count` (an index, 0..16) lanes. The others read as `fill` and
  // are not written; their memory is not accessed.
  Value loadLanes(Value memref, mlir::ValueRange indices, Value count,
                  float fill = 0.0f);
  void storeLanes(Value lanes, Value memref, mlir::ValueRange indices,
                  Value count);
  // Loads of any width without conversion.
  Value loadVector(Value memref, mlir::ValueRange indices,
                   mlir::VectorType type);
  // Temporary memory of the kernel, from the arena; call it outside parallel
  // loops.
  Value scratch(llvm::ArrayRef<int64_t> shape, mlir::ValueRange dynamic,
                mlir::Type elementType);

  // The fixed tree of N11 over sixteen lanes, with distances 8, 4, 2, 1.
  Value reduceAdd(Value lanes);
  Value reduceMax(Value lanes);

  // Divides iterations 0 .. count-1 among the threads in a static schedule. The
  // body must not write what another iteration accesses.
  void parallel(Value count, llvm::function_ref<void(Value)> body);
  // Walks a row of `columns` elements in steps of sixteen lanes: body(column,
  // count), where count is null for whole steps. A static multiple of sixteen
  // has no tail.
  void forLanes(Value columns,
                llvm::function_ref<void(Value column, Value count)> body);
  // The same with carried values.
  llvm::SmallVector<Value> forLanes(
      Value columns, mlir::ValueRange init,
      llvm::function_ref<llvm::SmallVector<Value>(Value column, Value count,
                                                  mlir::ValueRange)>
          body);
};

} // namespace nibble::host
