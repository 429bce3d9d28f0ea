//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_VERIFY_PASSES
#define NIBBLE_PASSES_VERIFY_PASSES

include "mlir/Pass/PassBase.td"

def VerifyConsistencyPass : Pass<"nibble-verify-consistency", "::mlir::ModuleOp"> {
  let summary = "Rejects a rollout that could differ from its training by a bit.";
  let description = [{
    Walks back from the logits of both functions, through calls, and compares op by op. Ops, attributes and element
    types must be the same, and so must weights, by name and scheme. Every attribute is compared, inherent or
    discardable (`hopper.splits` of a linear), unless the table of passes/Verify/ExemptAttributes.cpp exempts it with
    a reason. These pairs count as the same:

    - `qat.fake_quant` of a weight, and that weight packed and decoded, if the scheme is exact. It is not with
      `convention = slime`, whose rollout decodes with another scale than its training.
    - `nn.attention`, and `nn.cache_write` with `nn.paged_attention` of the same queries, keys and values (N14);
    - a bias or residual in a linear's epilogue, and the separate addition;
    - all rows, and the rows that `nn.take_rows` keeps, but not before an attention.

    Any other difference is an error with both locations. The pass does not change the module.

    Example: `--nibble-verify-consistency="training=logits rollout=forward"` on a rollout whose attention has another
    block size says

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
  let summary = "Checks the contract of a stage.";
  let description = [{
    Every stage ends with its contract, so that a mistake is reported where it was made. VerifyStage.cpp has the table
    of contracts:

    - import: arguments of public functions are named; all dialects are known to later stages.
    - quantize: every weight is read under one scheme.
    - differentiate: each gradient is a float32 accumulator with the shape of its parameter.
    - hoist: a training function quantizes nothing that is the same in the next call.
    - rollout: functions with a cache neither fake-quantize nor attend over their own keys.
    - fuse: no dequantized weight feeds a linear.
    - hopper-tensors: no packed weight has the layout of a CPU.
    - bufferize: no value is a tensor or a packed weight.
    - host-loops, hopper-kernels: there is no `kernel.compute` and no linalg op.
    - lower-to-host: only the LLVM dialect and OpenMP regions are left.
    - lower-to-hopper: only commands on buffers and kernels of llvm and nvvm are left.

    Example: `--nibble-verify-stage=stage=fuse`
  }];
  let options = [Option<"stage", "stage", "std::string", /*default=*/"\"\"", "the stage that has just run">];
}

#endif // NIBBLE_PASSES_VERIFY_PASSES
