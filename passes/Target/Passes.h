// The passes of stage Target. See the generated page docs/passes.
#pragma once

#include "dialects/Hopper/Hopper.h"
#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"

#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/Target/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Target/Passes.h.inc"

} // namespace nibble
