//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_DIFFERENTIATE_PASSES
#define NIBBLE_PASSES_DIFFERENTIATE_PASSES

include "mlir/Pass/PassBase.td"

#endif // NIBBLE_PASSES_DIFFERENTIATE_PASSES
