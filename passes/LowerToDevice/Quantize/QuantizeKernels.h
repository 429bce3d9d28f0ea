// What the kernels that convert weights use from each other.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToDevice/Emit/BatchedLaunch.h"

namespace nibble::device {

// A scratch buffer [N, K] of bf16 with the decoded weight (N5).
mlir::FailureOr<mlir::Value> emitDequantized(Kernel &kernel, mlir::Value bytes,
                                             qat::PackedType packed);

// A weight [N, K] and the buffer for its packed form.
struct QuantizedWeight {
  mlir::Value weight, bytes;
};
// qat.quantize for several weights of one type and one packed type. The number
// of launches does not depend on the number of weights.
mlir::LogicalResult emitQuantizes(Kernel &kernel, qat::PackedType type,
                                  llvm::ArrayRef<QuantizedWeight> weights);

// Codes of four bits in layout hopper. A row of the table has the packed bytes,
// the float32 [N] scales if a scale covers a whole row, and whatever `source`
// reads. `source` returns the piece at `row` and `column`, a multiple of 8:
// four words of two bf16 each, zero outside of the matrix. The spec has a key
// and arguments.
using PieceSource = llvm::function_ref<mlir::Value(
    Emitter &, mlir::ValueRange arguments, mlir::ValueRange tableRow,
    mlir::Value row, mlir::Value column)>;
void launchQuantizeSlabs(Kernel &kernel, LaunchSpec spec, qat::PackedType type,
                         llvm::ArrayRef<BatchRow> rows, PieceSource source);
// The number of blocks for one row of that table.
mlir::Value slabsOf(Kernel &kernel, qat::PackedType type);
void launchDequantizeSlabs(Kernel &kernel, mlir::Value bytes,
                           qat::PackedType type, mlir::Value weight);

// Scales that more than a few threads share, for several weights of one type,
// as float32 `used` values: [N] for whole rows, [ceil(N/128), ceil(K/128)] for
// blocks. Null for groups.
llvm::SmallVector<mlir::Value> launchSharedScales(Kernel &kernel,
                                                  mlir::ValueRange weights,
                                                  qat::SchemeAttr scheme);
// For layouts with codes in rows: codes of eight bits, and of four bits in
// layout interchange.
void launchQuantizeRows(Kernel &kernel, llvm::ArrayRef<QuantizedWeight> weights,
                        qat::PackedType type, mlir::ValueRange sharedScales);
void launchDequantizeRows(Kernel &kernel, mlir::Value bytes,
                          qat::PackedType type, mlir::Value weight);
void launchFakeQuant(Kernel &kernel, mlir::Value weight, qat::SchemeAttr scheme,
                     mlir::Value sharedScales, mlir::Value result);
// Codes of four bits between interchange and hopper, in either direction.
void launchRepack(Kernel &kernel, mlir::Value in, qat::PackedType from,
                  mlir::Value out, qat::PackedType to);

} // namespace nibble::device
