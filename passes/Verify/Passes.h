// The passes of stage Verify. See the generated page docs/passes.
#pragma once

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/Verify/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Verify/Passes.h.inc"

} // namespace nibble
