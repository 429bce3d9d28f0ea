// Writing kernels: a builder whose values are float32 lanes.
//
// A kernel's body works on vector<16xf32>, the sixteen lanes of N11, on every
// CPU: LLVM cuts them to the machine's width. Loads widen bf16, stores round to
// nearest even. Every helper says which bits it promises.
#pragma once

#include "passes/Kernels/Elementary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nibble::host {

inline constexpr int64_t kLanes = 16;

class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Constants.
  Value index(int64_t value);
  Value i32(int64_t value);
  Value f32(float value);
  Value lanes(float value); // vector<16xf32>, the value in each
  Value splat(Value scalar, int64_t width = kLanes);
  // A constant of the type of `like` (scalar or vector).
  Value like(Value like, double value);

  // Index arithmetic; folds constants.
  Value addI(Value a, Value b);
  Value subI(Value a, Value b);
  Value mulI(Value a, Value b);
  Value divI(Value a, Value b); // unsigned, rounds down
  Value remI(Value a, Value b);
  Value ceilDivI(Value a, int64_t b);
  Value minI(Value a, Value b);
  Value maxI(Value a, Value b);
  Value toIndex(Value i32);

  // float32 scalars or vectors; one rounding each.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  Value fma(Value a, Value b, Value c); // a * b + c, one rounding
  Value max(Value a, Value b);          // of numbers that are not NaN
  Value min(Value a, Value b);
  Value neg(Value a);
  Value sqrt(Value a);

  // Elementary functions, by the polynomials of passes/Elementary: the same
  // bits in every program and on every CPU.
  Value exp(Value x) { return elementary::exp(*this, x); }
  Value log(Value x) { return elementary::log(*this, x); }
  std::pair<Value, Value> sinCos(Value x) {
    return elementary::sinCos(*this, x);
  }

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
  // Rounds float32 (scalar or vector) to the element type and widens it again:
  // what a store and load would do.
  Value roundTo(Value value, mlir::Type elementType);
  // Temporary memory of the kernel, from the arena; taken outside parallel
  // loops.
  Value scratch(llvm::ArrayRef<int64_t> shape, mlir::ValueRange dynamic,
                mlir::Type elementType);

  // The fixed tree of N11 over sixteen lanes: 8, 4, 2, 1.
  Value reduceAdd(Value lanes);
  Value reduceMax(Value lanes);

  // Loops over [lower, upper) by step. A body gets the induction value; with
  // `init` it also gets and returns carried values.
  void loop(Value lower, Value upper, int64_t step,
            llvm::function_ref<void(Value)> body);
  llvm::SmallVector<Value>
  loop(Value lower, Value upper, int64_t step, mlir::ValueRange init,
       llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>
           body);
  // Iterations 0 .. count-1 cut over the threads in a static schedule; the body
  // must not write what another iteration touches.
  void parallel(Value count, llvm::function_ref<void(Value)> body);
  void ifThen(Value condition, llvm::function_ref<void()> body);
  void ifThenElse(Value condition, llvm::function_ref<void()> body,
                  llvm::function_ref<void()> otherwise);
  Value select(Value condition, Value a, Value b);
  Value lessI(Value a, Value b);
  Value equalI(Value a, Value b);

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
