// What the linears ask of the kernels that convert.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToHopper/Kernels.h"

namespace nibble::hopper {

// A scratch [N, K] of bf16 with what the packed bytes stand for (N5).
mlir::FailureOr<mlir::Value> emitDequantized(Kernel &kernel, mlir::Value bytes, qat::PackedType packed);

// A float32 matrix rounded to a bf16 scratch of its shape; a bf16 one as it is.
mlir::Value roundedToBf16(Kernel &kernel, mlir::Value matrix);

} // namespace nibble::hopper
