//===- NNDialect.td - what a language model is made of ---------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNDIALECT
#define NIBBLE_DIALECTS_NN_NNDIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let cppNamespace = "::nibble::nn";
  let summary = "The ops of a language model, on flat batches of tokens.";
  let description = [{
    A batch is ragged and flat: the T tokens of S sequences follow each other without padding. Activations are [T,
    features]; heads are consecutive blocks of the feature axis. Two inputs describe the batch:

    - `positions`: i32 [T], the position of each token inside its own sequence. The tokens of one sequence in the
      batch have consecutive positions.
    - `sequences`: i32 [S + 1], the index at which each sequence begins in the flat batch; the last entry is T.

    The forward pass of training, prefill and decode are the same ops; only the place from which attention reads its
    keys differs. Every op states the order of its sums (rules N10 to N14 of docs/numerics.md). The bits of a row
    depend on that row alone, never on the other rows of the batch.

    Function arguments carry the user's names. A weight has `nn.parameter = "<tensor of the checkpoint>"`. A buffer
    that a call updates in place has `nn.state = "<kind>:<tensor>"`. Every other argument is an input, named by
    `nn.input`. Results are named by `nn.output`.
  }];
  let hasOperationAttrVerify = 1;
}

#endif // NIBBLE_DIALECTS_NN_NNDIALECT
