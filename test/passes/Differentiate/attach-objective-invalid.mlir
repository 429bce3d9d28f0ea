// RUN: not nibble-opt %s --nibble-attach-objective=objective=dpo 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not nibble-opt %s --nibble-attach-objective="objective=grpo options=clip_hi=0.2" 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not nibble-opt %s --nibble-attach-objective="objective=grpo options=kl=some" 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not nibble-opt %s --nibble-attach-objective="objective=sft options=kl=1" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not nibble-opt %s --nibble-attach-objective="function=hidden" 2>&1 | FileCheck %s --check-prefix=FUNCTION
// RUN: not nibble-opt %s --nibble-attach-objective="function=scores" 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not nibble-opt %s --nibble-attach-objective=objective=%S/Inputs/mixed.mlir 2>&1 | FileCheck %s --check-prefix=MIXED
// RUN: not nibble-opt %s --nibble-attach-objective=objective=%s 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not nibble-opt %s --nibble-attach-objective="function=taken" 2>&1 | FileCheck %s --check-prefix=TAKEN

// UNKNOWN: nibble-attach-objective: objective 'dpo' is neither built in ({{.*}}grpo, {{.*}}sft) nor a file that can be read: No such file or directory
// OPTION: nibble-attach-objective: objective 'grpo' has no option 'clip_hi'; it has clip_high, clip_low, dual_clip, entropy, kl
// NUMBER: nibble-attach-objective: option 'kl' of objective 'grpo' needs a number, not 'some'
// NONE: nibble-attach-objective: objective 'sft' has no option 'kl'; it has none
// FUNCTION: nibble-attach-objective: there is no function @hidden; name one with function=
// TYPE: nibble-attach-objective: the first result of @scores must be the logits, tensor<?xVxf32>
// MIXED: nibble-attach-objective: result 1 of @objective in '{{.*}}mixed.mlir' is 'f32', not f32 (one token) or tensor<?xf32> (all tokens), the same for all results
// NOTHING: nibble-attach-objective: objective '{{.*}}' defines no func.func @objective
// TAKEN: nibble-attach-objective: input 'mask' is 'tensor<?xi32>', not 'tensor<?xf32>' as the loss needs
func.func @logits(%x: tensor<?x8xbf16> {nn.input = "x"}, %w: tensor<4x8xbf16> {nn.parameter = "w"}) -> tensor<?x4xf32> {
  %y = nn.linear %x, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func @scores(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
func.func @taken(%x: tensor<?x4xf32>, %mask: tensor<?xi32> {nn.input = "mask"}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
