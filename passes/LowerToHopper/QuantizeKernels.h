// What the kernels that convert weights ask of each other.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToHopper/Kernels.h"

namespace nibble::hopper {

// A scratch [N, K] of bf16 with what the packed bytes stand for (N5).
mlir::FailureOr<mlir::Value> emitDequantized(Kernel &kernel, mlir::Value bytes, qat::PackedType packed);

// INT4 of layout hopper. `rowScales`: float32 [N] when a scale is a whole row's, else null.
void launchQuantizeSlabs(Kernel &kernel, mlir::Value weight, qat::PackedType type, mlir::Value rowScales,
                         mlir::Value bytes);
void launchDequantizeSlabs(Kernel &kernel, mlir::Value bytes, qat::PackedType type, mlir::Value weight);

// Scales that more than a few threads share, float32 as they are used: [N] of whole rows, or [ceil(N/128), ceil(K/128)]
// of fp8; null for groups.
mlir::Value launchSharedScales(Kernel &kernel, mlir::Value weight, qat::SchemeAttr scheme);
// Layouts in rows: int8, fp8, and int4 of layout interchange.
void launchQuantizeRows(Kernel &kernel, mlir::Value weight, qat::PackedType type, mlir::Value sharedScales,
                        mlir::Value bytes);
void launchDequantizeRows(Kernel &kernel, mlir::Value bytes, qat::PackedType type, mlir::Value weight);
void launchFakeQuant(Kernel &kernel, mlir::Value weight, qat::SchemeAttr scheme, mlir::Value sharedScales,
                     mlir::Value result);
// INT4 between interchange and hopper, either way.
void launchRepack(Kernel &kernel, mlir::Value in, qat::PackedType from, mlir::Value out, qat::PackedType to);

} // namespace nibble::hopper
