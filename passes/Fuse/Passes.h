// The passes of stage Fuse. See the generated page docs/passes.
#pragma once

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/Fuse/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Fuse/Passes.h.inc"

} // namespace nibble
