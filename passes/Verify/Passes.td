//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_VERIFY_PASSES
#define NIBBLE_PASSES_VERIFY_PASSES

include "mlir/Pass/PassBase.td"

def VerifyConsistencyPass : Pass<"nibble-verify-consistency", "::mlir::ModuleOp"> {
  let summary = "Refuse a rollout that could differ from its training by a bit.";
  let description = [{
    Walks back from the logits of both functions, through calls, and compares op by op: the same op, the same attributes, the same
    element types, the same weights by name, under the same scheme. Every attribute is compared, inherent and discardable
    (`hopper.splits` of a linear), unless the table of passes/Verify/ExemptAttributes.cpp has it with the reason. What counts as the same:

    - `qat.fake_quant` of a weight, and that weight packed and decoded, if the scheme is exact (not with `convention = slime`, whose
      rollout decodes with another scale than its training);
    - `nn.attention`, and `nn.cache_write` with `nn.paged_attention` of the same queries, keys and values (N14);
    - a bias or residual in a linear's epilogue, and the separate addition;
    - all rows, and the rows that `nn.take_rows` kept, but not before an attention.

    Anything else is an error with both places. Does not change the module.

    Example: `--nibble-verify-consistency="training=logits rollout=forward"` on a rollout whose attention was given another block says

    ```
    error: rollout differs from training: 'nn.paged_attention' has kv_block = 32 : i64 here, 64 : i64 in training
    note: in training
    ```
  }];
  let options = [
    Option<"training", "training", "std::string", /*default=*/"\"logits\"", "the training forward">,
    Option<"rollout", "rollout", "std::string", /*default=*/"\"forward\"", "the rollout">,
  ];
  // A residual in an epilogue is compared as an arith.addf with its attributes.
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def VerifyStagePass : Pass<"nibble-verify-stage", "::mlir::ModuleOp"> {
  let summary = "Check what a stage promises to leave behind.";
  let description = [{
    Every stage ends with its contract, so that a mistake is reported where it was made. The contracts are the table of
    VerifyStage.cpp:

    - import: arguments of public functions are named; only dialects that later stages know.
    - quantize: every weight is read under one scheme.
    - differentiate: each gradient is a float32 accumulator of the shape of its parameter.
    - hoist: nothing that a training function quantizes stays the same from one call to the next.
    - rollout: functions with a cache neither fake-quantize nor attend over keys of their own.
    - fuse: no dequantized weight feeds a linear.
    - hopper-tensors: no packed weight in the order of a CPU.
    - bufferize: no value that is a tensor or a packed weight.
    - host-loops, hopper-kernels: no `kernel.compute` and no linalg op.
    - lower-to-host: nothing but the LLVM dialect and OpenMP regions.
    - lower-to-hopper: nothing but commands over buffers and kernels of llvm and nvvm.

    Example: `--nibble-verify-stage=stage=fuse`
  }];
  let options = [Option<"stage", "stage", "std::string", /*default=*/"\"\"", "the stage that has just run">];
}

#endif // NIBBLE_PASSES_VERIFY_PASSES
