// The passes that import foreign graphs: linalg on tensors, as torch-mlir and
// JAX produce it.
#pragma once

#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "lib/Frontend/Linalg/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Frontend/Linalg/Passes.h.inc"

} // namespace nibble
