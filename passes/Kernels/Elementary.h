// Elementary functions as polynomials, with the same bits in every program and
// on every target.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <utility>

namespace nibble::elementary {

// Functions of float32 values, scalars or vectors, made of arith and math ops.

// Relative error < 2^-22.5; 0 below -104, infinity above 88.73.
mlir::Value exp(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
// For positive normal numbers; absolute error of about 1 ulp.
mlir::Value log(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
// Sine and cosine of float32 angles, |x| < 2^24, by reduction and polynomials
// in float64, rounded to float32.
std::pair<mlir::Value, mlir::Value> sinCos(mlir::ImplicitLocOpBuilder &b,
                                           mlir::Value x);

} // namespace nibble::elementary
