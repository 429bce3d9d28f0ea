// The common part of all targets' emitters: a builder of float32 arithmetic,
// integers of one type, loops and branches. A formula that uses it (Formulas.h,
// Grid.h) is the same on every target.
#pragma once

#include "passes/Kernels/Elementary.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace nibble::kernels {

class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Whether arithmetic takes subnormal float32 numbers as fast as others. On a
  // CPU one of them in a vector costs some ninety cycles.
  virtual bool hasFastSubnormals() const { return false; }

  // Constants.
  Value i32(int64_t value);
  Value f32(double value); // rounded to float32
  // A constant of the type of `like`: an index, an integer, a float, or a
  // vector with the value in each element.
  Value like(Value like, double value);

  // float32 scalars or vectors. Each operation rounds once.
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);          // IEEE
  Value fma(Value a, Value b, Value c); // a * b + c
  Value max(Value a, Value b);          // neither may be NaN
  Value min(Value a, Value b);
  Value neg(Value a);
  Value sqrt(Value a); // IEEE
  Value isZero(Value a);
  // Elementary functions, by the polynomials of Elementary.h, with the same
  // bits in every program and on every target.
  Value exp(Value x) { return elementary::exp(*this, x); }
  Value log(Value x) { return elementary::log(*this, x); }
  std::pair<Value, Value> sinCos(Value x) {
    return elementary::sinCos(*this, x);
  }

  // `widen` converts another float to float32 and keeps float32 and integers.
  // The inverse rounds to nearest even; it does nothing if `element` is not a
  // float.
  Value widen(Value x);
  Value round(Value x, Type element);
  // Rounds to the element type and widens again, as a store and a load do.
  Value roundTo(Value x, Type element) { return widen(round(x, element)); }
  // The bits of float32 numbers as i32, and back.
  Value bitsOf(Value floats);
  Value floatsOf(Value bits);

  // Integers of one type, scalars or vectors. Constants are folded. Division
  // and comparisons are unsigned.
  Value addI(Value a, Value b);
  Value subI(Value a, Value b);
  Value mulI(Value a, Value b);
  Value divI(Value a, Value b);
  Value remI(Value a, Value b);
  Value minI(Value a, Value b);
  Value andI(Value a, Value b);
  Value orI(Value a, Value b);
  Value shlI(Value a, Value b);
  Value shrI(Value a, Value b);
  Value less(Value a, Value b);
  Value equal(Value a, Value b);
  Value select(Value condition, Value a, Value b);

  // Loops over [lower, upper). The body gets the induction value, of the type
  // of `lower`. With `init` it also gets the carried values and returns the
  // next ones.
  using Body = llvm::function_ref<void(Value)>;
  using CarryingBody =
      llvm::function_ref<llvm::SmallVector<Value>(Value, mlir::ValueRange)>;
  void loop(Value lower, Value upper, int64_t step, Body body);
  void loop(Value lower, Value upper, Value step, Body body);
  llvm::SmallVector<Value> loop(Value lower, Value upper, int64_t step,
                                mlir::ValueRange init, CarryingBody body);
  llvm::SmallVector<Value> loop(Value lower, Value upper, Value step,
                                mlir::ValueRange init, CarryingBody body);
  void ifThen(Value condition, llvm::function_ref<void()> body);
  void ifThenElse(Value condition, llvm::function_ref<void()> body,
                  llvm::function_ref<void()> otherwise);

protected:
  // An integer constant of the scalar type of `like`.
  Value constantLike(Value like, int64_t value);
};

// Element type of a buffer.
mlir::Type elementOf(mlir::Value memref);
// Last extent of a buffer. It is static for every buffer except plain lists of
// tokens.
int64_t columnsOf(mlir::Value memref);

} // namespace nibble::kernels
