// The passes of stage LowerToHost. See the generated page docs/passes.
#pragma once

#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/LowerToHost/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/LowerToHost/Passes.h.inc"

} // namespace nibble
