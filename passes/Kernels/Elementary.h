// Elementary functions written out as polynomials: the same bits in every
// program and on every target.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <utility>

namespace nibble::elementary {

// Functions of float32 values, scalars or vectors; they leave arith and math
// ops behind.
mlir::Value exp(mlir::ImplicitLocOpBuilder &b,
                mlir::Value x); // relative error < 2^-22.5; 0 below -104,
                                // infinity above 88.73
mlir::Value
log(mlir::ImplicitLocOpBuilder &b,
    mlir::Value x); // of a positive normal number; absolute error < 1 ulp or so
// Sine and cosine of float32 angles, |x| < 2^24, by float64 reduction and
// polynomials; rounded to float32.
std::pair<mlir::Value, mlir::Value> sinCos(mlir::ImplicitLocOpBuilder &b,
                                           mlir::Value x);

} // namespace nibble::elementary
