// Gradients that nibble-differentiate builds, against differences of the
// forward function's float64 values.
#pragma once

#include "lib/Reference/Reference.h"

#include <random>

namespace nibble {

struct FiniteDifferenceOptions {
  // Distance of the points of the five-point formula f' = (f(-2h) - 8 f(-h) + 8
  // f(h) - f(2h)) / 12h: its error is of the order h^4, that of cancellation
  // 1e-16 / h.
  double step = 0x1p-10;
  // Directions along which the derivative is taken. An argument of no more
  // elements gets one for each element, a larger one this many random ones of
  // +1 and -1.
  int directions = 64;
  uint64_t seed = 1;
  // Both functions are run with these.
  ReferenceOptions reference = ReferenceOptions::exact();
};

// The gradient with respect to one argument of the forward function.
struct GradientComparison {
  unsigned argument;
  std::string name; // as the step names it: the parameter's name, the input's,
                    // or arg<number>
  // Derivatives along the directions; and |gradient - difference| /
  // |difference| over them.
  std::vector<double> fromGradient, fromDifferences;
  double relativeError;
};

// Runs `step`, which nibble-differentiate made of `forward`, at `arguments`
// (those of `forward`), and compares every gradient it returns: results with
// nn.state or nn.output "gradient:<name>". Its further arguments are filled in
// here: accumulators (nn.state "gradient:<parameter>") with random numbers,
// which must come back with the gradient added; seeds (nn.input
// "gradient:result<number>") with random numbers g, and the function whose
// derivative is taken then is sum_i <g_i, result_i>; without seeds it is the
// first result, a scalar.
//
// The point should be away from kinks. Failure, after an error, when a function
// cannot be run, when an argument of `step` is none of these, or when there is
// no gradient to compare.
llvm::FailureOr<std::vector<GradientComparison>>
compareGradients(mlir::func::FuncOp forward, mlir::func::FuncOp step,
                 llvm::ArrayRef<ReferenceValue> arguments,
                 const FiniteDifferenceOptions &options = {});

// Random numbers in [-1, 1), not rounded to the type. `shape` as in
// ReferenceValue::zero; the type is a float type or a tensor of one.
ReferenceValue randomValue(mlir::Type type, std::mt19937_64 &random,
                           llvm::ArrayRef<int64_t> shape = {});

} // namespace nibble
