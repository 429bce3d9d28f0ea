// Expands operations of math and arith that neither LLVM nor a library
// provides.
#pragma once

#include "mlir/IR/PatternMatch.h"

namespace nibble::host {

// math.fpowi, math.ipowi, math.isinf, math.isnormal, math.clampf, math.sincos,
// math.fma of bf16 and f16, and arith.truncf from f64 to bf16.
void populateScalarExpansions(mlir::RewritePatternSet &patterns);

} // namespace nibble::host
