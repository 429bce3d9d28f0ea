//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_FUSE_PASSES
#define NIBBLE_PASSES_FUSE_PASSES

include "mlir/Pass/PassBase.td"

#endif // NIBBLE_PASSES_FUSE_PASSES
