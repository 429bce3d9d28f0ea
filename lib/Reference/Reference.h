// What a program means, executable: an interpreter over tensors in float64, the
// oracle of every numeric test.
//
// Every op is one small function, written to be read beside its description in
// the dialect's .td file. Sums are float64, in the order they are written; no
// sum order of docs/numerics.md is imitated, so a kernel that follows the rules
// agrees up to the tolerances stated there, and exactly where nothing is
// rounded.
#pragma once

#include "lib/Reference/Value.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace nibble {

struct ReferenceOptions {
  enum class Rounding {
    kExact, // nothing is rounded: a smooth function of its float arguments, for
            // gradients
    kRounded, // each op's results, and what its description writes as E(...),
              // are rounded to their element type
  };
  Rounding rounding = Rounding::kRounded;

  enum class FakeQuant {
    kGrid,     // the definition (N3 to N5); its input is rounded to bf16 first
    kIdentity, // what the straight-through gradient (N8) is the derivative of
  };
  FakeQuant fakeQuant = FakeQuant::kGrid;

  // Bounds, so that no program runs away: operations executed (an elementwise
  // op counts once), elements of one value, functions inside functions.
  int64_t maxSteps = int64_t(1) << 32;
  int64_t maxElements = int64_t(1) << 28;
  int maxCallDepth = 256;

  static ReferenceOptions exact() {
    return {Rounding::kExact, FakeQuant::kIdentity};
  }
};

// Results of `function` for these arguments, in order.
//
// Arguments must have the function's types (extents that the type leaves open
// are free, and must agree as the ops ask). Failure, after an error at the
// operation's location, when an op is unknown here, extents disagree, an index
// is out of range, a weight to be quantized is not finite (N7) or a bound is
// reached. Never a crash.
llvm::FailureOr<llvm::SmallVector<ReferenceValue>>
evaluate(mlir::func::FuncOp function, llvm::ArrayRef<ReferenceValue> arguments,
         const ReferenceOptions &options = {});

// True when the reference knows the op of this name ("nn.rms_norm"): what a
// test of completeness asks.
bool referenceKnows(llvm::StringRef opName);

} // namespace nibble
