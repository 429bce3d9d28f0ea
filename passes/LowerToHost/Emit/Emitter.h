// Writing kernels: a builder whose values are float32 lanes.
//
// A kernel's body works on vector<16xf32>, the sixteen lanes of N11, on every
// CPU: LLVM cuts them to the machine's width. Loads widen bf16, stores round to
// nearest even. Every helper says which bits it promises.
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
  Value lanes(float value); // vector<16xf32>, the value in each
  Value splat(Value scalar, int64_t width = kLanes);

  // Index arithmetic besides that of the base.
  Value ceilDivI(Value a, int64_t b); // unsigned
  Value maxI(Value a, Value b);       // signed
  Value lessI(Value a, Value b);      // signed
  Value toIndex(Value i32);

  // Memory. `indices` address the first of sixteen consecutive elements along
  // the last dimension.
  Value dim(Value memref, int64_t dimension);
  Value load(Value memref,
             mlir::ValueRange
                 indices); // one element, widened to float32 (integers stay)
  void
  store(Value value, Value memref,
        mlir::ValueRange indices); // one float32, rounded to the element type
  Value loadLanes(Value memref, mlir::ValueRange indices); // vector<16xf32>
  void storeLanes(Value lanes, Value memref, mlir::ValueRange indices);
  // The first `count` (an index, 0..16) lanes; the others read as `fill` and
  // are not written. Nothing beyond is touched.
  Value loadLanes(Value memref, mlir::ValueRange indices, Value count,
                  float fill = 0.0f);
  void storeLanes(Value lanes, Value memref, mlir::ValueRange indices,
                  Value count);
  // memref<16 x i32> style loads without conversion, of any width.
  Value loadVector(Value memref, mlir::ValueRange indices,
                   mlir::VectorType type);
  // Temporary memory of the kernel, from the arena; taken outside parallel
  // loops.
  Value scratch(llvm::ArrayRef<int64_t> shape, mlir::ValueRange dynamic,
                mlir::Type elementType);

  // The fixed tree of N11 over sixteen lanes: 8, 4, 2, 1.
  Value reduceAdd(Value lanes);
  Value reduceMax(Value lanes);

  // Iterations 0 .. count-1 cut over the threads in a static schedule; the body
  // must not write what another iteration touches.
  void parallel(Value count, llvm::function_ref<void(Value)> body);
  // Walks a row of `columns` elements in steps of sixteen lanes: body(column,
  // count) with count absent for whole steps. A known multiple of sixteen has
  // no tail.
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
