// The executable meaning of a program: an interpreter over tensors in float64,
// which is the oracle of every numeric test.
//
// Every op is one small function, written to be read beside its description in
// the dialect's .td file. Sums are computed in float64, in the order written.
// They imitate no sum order of docs/numerics.md. A kernel that follows those
// rules therefore agrees up to the tolerances stated there, and exactly where
// nothing is rounded.
#pragma once

#include "lib/Reference/Value.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nibble {

struct ReferenceOptions {
  enum class Rounding {
    // Nothing is rounded. The program is a smooth function of its float
    // arguments, as finite differences need it.
    kExact,
    // The results of each op are rounded to their element type, and so is what
    // its description writes as E(...).
    kRounded,
  };
  Rounding rounding = Rounding::kRounded;

  enum class FakeQuant {
    kGrid,     // the definition (N3 to N5); its input is rounded to bf16 first
    kIdentity, // the function whose derivative N8 (straight-through) uses
  };
  FakeQuant fakeQuant = FakeQuant::kGrid;

  // Limits, so that every run ends: operations executed (an elementwise op
  // counts once), elements of one value, nested calls.
  int64_t maxSteps = int64_t(1) << 32;
  int64_t maxElements = int64_t(1) << 28;
  int maxCallDepth = 256;

  static ReferenceOptions exact() {
    return {Rounding::kExact, FakeQuant::kIdentity};
  }
};

// Results of `function` for these arguments, in order.
//
// Arguments must have the function's types; dynamic extents are free, but must
// agree as the ops require. Never crashes. Fails, after an error at the
// operation's location, for these reasons:
// - an op that the reference does not know;
// - extents that disagree, or an index out of range;
// - a weight to be quantized that is not finite (N7);
// - a limit that is reached.
llvm::FailureOr<llvm::SmallVector<ReferenceValue>>
evaluate(mlir::func::FuncOp function, llvm::ArrayRef<ReferenceValue> arguments,
         const ReferenceOptions &options = {});

// Whether the reference knows the op of this name ("nn.rms_norm"). Tests of
// completeness use this.
bool referenceKnows(llvm::StringRef opName);

} // namespace nibble
