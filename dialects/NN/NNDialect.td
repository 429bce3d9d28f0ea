//===- NNDialect.td - what a language model is made of ---------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNDIALECT
#define NIBBLE_DIALECTS_NN_NNDIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::nibble::nn";
  let summary = "What a language model is made of, over flat tokens.";
  let description = [{
    A batch is ragged and flat: T tokens of S sequences one after the other, nothing padded. Activations are [T, features];
    heads are consecutive blocks of the feature axis. Beside them stand

    - `positions`: i32 [T], the token's position inside its own sequence (the tokens of a sequence that are in
      the batch have positions one after the other), and
    - `sequences`: i32 [S + 1], where each sequence begins in the flat batch; the last entry is T.

    Training forward, prefill and decode are the same ops; only where attention reads its keys differs. Every op states the order
    of its sums (rules N10 to N14 of docs/numerics.md): the bits of a row depend on that row alone, never on what stands beside it.

    Function arguments speak the user's names: a weight carries `nn.parameter = "<tensor of the checkpoint>"`, a buffer that a call
    updates in place carries `nn.state = "<kind>:<tensor>"`, everything else is an input named by `nn.input`. Results are named by
    `nn.output`.
  }];
  let hasOperationAttrVerify = 1;
}

#endif // NIBBLE_DIALECTS_NN_NNDIALECT
