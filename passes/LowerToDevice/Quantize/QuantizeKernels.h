// What the kernels that convert weights ask of each other.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToDevice/Emit/BatchedLaunch.h"

namespace nibble::device {

// A scratch [N, K] of bf16 with what the packed bytes stand for (N5).
mlir::FailureOr<mlir::Value> emitDequantized(Kernel &kernel, mlir::Value bytes,
                                             qat::PackedType packed);

// A weight [N, K] and where its packed form goes.
struct QuantizedWeight {
  mlir::Value weight, bytes;
};
// qat.quantize of weights of one type to packed ones of one type: as many
// launches for all as for one.
mlir::LogicalResult emitQuantizes(Kernel &kernel, qat::PackedType type,
                                  llvm::ArrayRef<QuantizedWeight> weights);

// INT4 of layout hopper. A row of the table is the packed bytes, float32 [N]
// scales where a scale is a whole row's, and whatever `source` reads: the four
// words (two bf16 each) of the piece at `row` and `column`, a multiple of 8,
// zeros beyond the matrix. The spec is a key and arguments.
using PieceSource = llvm::function_ref<mlir::Value(
    Emitter &, mlir::ValueRange arguments, mlir::ValueRange tableRow,
    mlir::Value row, mlir::Value column)>;
void launchQuantizeSlabs(Kernel &kernel, LaunchSpec spec, qat::PackedType type,
                         llvm::ArrayRef<BatchRow> rows, PieceSource source);
// Blocks of a row of that table.
mlir::Value slabsOf(Kernel &kernel, qat::PackedType type);
void launchDequantizeSlabs(Kernel &kernel, mlir::Value bytes,
                           qat::PackedType type, mlir::Value weight);

// Scales that more than a few threads share, for each of some weights of one
// type, float32 as they are used: [N] of whole rows, or [ceil(N/128),
// ceil(K/128)] of fp8. Nulls for groups.
llvm::SmallVector<mlir::Value> launchSharedScales(Kernel &kernel,
                                                  mlir::ValueRange weights,
                                                  qat::SchemeAttr scheme);
// Layouts in rows: int8, fp8, and int4 of layout interchange.
void launchQuantizeRows(Kernel &kernel, llvm::ArrayRef<QuantizedWeight> weights,
                        qat::PackedType type, mlir::ValueRange sharedScales);
void launchDequantizeRows(Kernel &kernel, mlir::Value bytes,
                          qat::PackedType type, mlir::Value weight);
void launchFakeQuant(Kernel &kernel, mlir::Value weight, qat::SchemeAttr scheme,
                     mlir::Value sharedScales, mlir::Value result);
// INT4 between interchange and hopper, either way.
void launchRepack(Kernel &kernel, mlir::Value in, qat::PackedType from,
                  mlir::Value out, qat::PackedType to);

} // namespace nibble::device
