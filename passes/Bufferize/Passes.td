//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_BUFFERIZE_PASSES
#define NIBBLE_PASSES_BUFFERIZE_PASSES

include "mlir/Pass/PassBase.td"

def DecomposeTensorsPass : Pass<"nibble-decompose-tensors", "::mlir::ModuleOp"> {
  let summary = "Tensor ops without a form over buffers to ops that have one.";
  let description = [{
    `linalg.softmax`, the Winograd transforms, `linalg.pack` and `linalg.unpack` become the ops that they are made of, `tensor.bitcast` an
    elementwise `arith.bitcast`, `qat.straight_through` its body. What has no form over buffers after that is an error of nibble-bufferize-module, by name and place.

    Example: `linalg.softmax dimension(1) ins(%x) outs(%y)` becomes a maximum, the exponentials of the differences, their sum and a division.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def BufferizeModulePass : Pass<"nibble-bufferize-module", "::mlir::ModuleOp"> {
  let summary = "Tensors to buffers; each nn and qat op to one kernel.compute.";
  let description = [{
    Runs upstream's one-shot bufferization over the module and its function boundaries, with row-major buffers everywhere. Accumulators,
    caches and optimizer states are updated in the buffer that came in, and their results are dropped from the function. State whose old
    value is still read when the new one is there, so that it was made elsewhere, is copied to its buffer where the function ends.

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
