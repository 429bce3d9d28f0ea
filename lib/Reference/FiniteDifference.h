// Compares the gradients that nibble-differentiate builds with finite
// differences of the forward function, computed in float64.
#pragma once

#include "lib/Reference/Reference.h"

#include <random>

namespace nibble {

struct FiniteDifferenceOptions {
  // Step h of the five-point formula f' = (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) /
  // 12h. Its truncation error is of order h^4, its cancellation error of order
  // 1e-16 / h.
  double step = 0x1p-10;
  // Directions along which derivatives are taken. An argument with at most this
  // many elements gets one direction per element; a larger one gets this many
  // random vectors of +1 and -1.
  int directions = 64;
  uint64_t seed = 1;
  // Used to run both functions.
  ReferenceOptions reference = ReferenceOptions::exact();
};

// The gradient with respect to one argument of the forward function.
struct GradientComparison {
  unsigned argument;
  // The step's name for it: the name of the parameter or input, or arg<number>.
  std::string name;
  // Derivatives along the directions.
  std::vector<double> fromGradient, fromDifferences;
  // |fromGradient - fromDifferences| / |fromDifferences|.
  double relativeError;
};

// Runs `step`, which nibble-differentiate made from `forward`, with the
// arguments of `forward`. Compares every gradient that it returns: results with
// nn.state or nn.output "gradient:<name>".
//
// The other arguments of `step` get random numbers:
// - Accumulators (nn.state "gradient:<parameter>") must come back with the
//   gradient added.
// - Seeds (nn.input "gradient:result<number>") g_i define the function that is
//   differentiated: sum_i <g_i, result_i>. Without seeds it is the first
//   result, a scalar.
//
// `arguments` should be away from kinks. Fails, after an error, when a function
// cannot be run, when an argument of `step` is none of these, or when there is
// no gradient to compare.
llvm::FailureOr<std::vector<GradientComparison>>
compareGradients(mlir::func::FuncOp forward, mlir::func::FuncOp step,
                 llvm::ArrayRef<ReferenceValue> arguments,
                 const FiniteDifferenceOptions &options = {});

// Random numbers in [-1, 1), not rounded to the type, which is a float type or
// a tensor of one. `shape` is as in ReferenceValue::zero.
ReferenceValue randomValue(mlir::Type type, std::mt19937_64 &random,
                           llvm::ArrayRef<int64_t> shape = {});

} // namespace nibble
