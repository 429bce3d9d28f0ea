// The passes of stage Differentiate. See the generated page docs/passes.
#pragma once

#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/Differentiate/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Differentiate/Passes.h.inc"

} // namespace nibble
