//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_BUFFERIZE_PASSES
#define NIBBLE_PASSES_BUFFERIZE_PASSES

include "mlir/Pass/PassBase.td"

def DecomposeTensorsPass : Pass<"nibble-decompose-tensors", "::mlir::ModuleOp"> {
  let summary = "Decomposes tensor ops that have no form on buffers.";
  let description = [{
    `linalg.softmax`, the Winograd transforms, `linalg.pack` and `linalg.unpack` become the ops that they consist of,
    `tensor.bitcast` becomes an elementwise `arith.bitcast`, and `qat.straight_through` its body. An op that still has
    no form on buffers is an error of nibble-bufferize-module, with its name and location.

    Example: `linalg.softmax dimension(1) ins(%x) outs(%y)` becomes a maximum, the exponentials of the differences, their sum and a division.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def BufferizeModulePass : Pass<"nibble-bufferize-module", "::mlir::ModuleOp"> {
  let summary = "Turns tensors into buffers, and each nn and qat op into one kernel.compute.";
  let description = [{
    Runs upstream's one-shot bufferization on the module and across function boundaries, with row-major buffers
    everywhere. Accumulators, caches and optimizer states are updated in the buffer that came in, and their results
    are dropped from the function. If a state's old value is still read after its new value exists, the new value is
    made in another buffer. It is then copied to the state's buffer at the end of the function.

    Example: `nibble-opt layer.mlir --nibble-bufferize-module` turns `%y = nn.rms_norm %x, %w` into an allocation and
    `kernel.compute "nn.rms_norm" ins(%x, %w) outs(%y)`.
  }];
}

def ForwardCopiesPass : Pass<"nibble-forward-copies", "::mlir::ModuleOp"> {
  let summary = "Lets a kernel write to the destination of a copy of its result.";
  let description = [{
    An allocation that one kernel fills may be copied into a function argument that nothing else in the function
    touches. The pass then replaces the allocation by the argument. So the optimizer update writes weights and packed
    codes in place, in one pass over memory.

    Example: `%a = alloc; kernel.compute outs(%a); memref.copy %a, %weight` becomes `kernel.compute outs(%weight)`.
  }];
}

#endif // NIBBLE_PASSES_BUFFERIZE_PASSES
