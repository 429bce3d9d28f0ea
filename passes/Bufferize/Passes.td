//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_BUFFERIZE_PASSES
#define NIBBLE_PASSES_BUFFERIZE_PASSES

include "mlir/Pass/PassBase.td"

def BufferizeModulePass : Pass<"nibble-bufferize-module", "::mlir::ModuleOp"> {
  let summary = "Tensors to buffers; each nn and qat op to one kernel.compute.";
  let description = [{
    Runs upstream's one-shot bufferization over the module and its function boundaries, with row-major buffers everywhere. Accumulators,
    caches and optimizer states are updated in the buffer that came in; a result that is an argument's buffer is dropped
    from the function.

    Example: `nibble-opt layer.mlir --nibble-bufferize-module` turns `%y = nn.rms_norm %x, %w` into an allocation and
    `kernel.compute "nn.rms_norm" ins(%x, %w) outs(%y)`.
  }];
}

def ForwardCopiesPass : Pass<"nibble-forward-copies", "::mlir::ModuleOp"> {
  let summary = "Lets a kernel write where its result is copied to.";
  let description = [{
    An allocation that one kernel fills and that is then copied into a function argument which nothing else in the function touches is
    replaced by that argument. So the optimizer update writes weights and packed codes in place, in one pass over memory.

    Example: `%a = alloc; kernel.compute outs(%a); memref.copy %a, %weight` becomes `kernel.compute outs(%weight)`.
  }];
}

#endif // NIBBLE_PASSES_BUFFERIZE_PASSES
