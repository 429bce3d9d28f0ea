// The pipelines of both halves leave only what a program has, keep every contract on the way, and pass on their options.
// RUN: nibble-opt %examples/layer.mlir --nibble-training=objective=grpo | FileCheck %s --check-prefix=TRAINING
// RUN: nibble-opt %examples/layer.mlir --nibble-training=hoist=false | FileCheck %s --check-prefix=NAIVE
// RUN: nibble-opt %examples/layer.mlir --nibble-rollout="group-size=16 include=mlp" | FileCheck %s --check-prefix=ROLLOUT
// RUN: nibble-opt %examples/layer.mlir --nibble-rollout=scheme=none | FileCheck %s --check-prefix=NONE
// RUN: nibble-opt %examples/layer.mlir --nibble-rollout=convention=slime | FileCheck %s --check-prefix=SLIME
// RUN: not nibble-opt %examples/layer.mlir --nibble-rollout=group-size=7 2>&1 | FileCheck %s --check-prefix=BAD

// TRAINING-NOT: @logits
// TRAINING-NOT: qat.fake_quant
// TRAINING: qat.linear_input_grad
// TRAINING: func.func @train_step(
// TRAINING-SAME: {nn.input = "advantage"}
// TRAINING: func.func @update(
// TRAINING: qat.quantize
// TRAINING-NOT: @logits

// NAIVE: qat.fake_quant
// NAIVE: nn.linear_input_grad

// ROLLOUT: func.func @forward(
// ROLLOUT-SAME: tensor<64x64xbf16> {nn.parameter = "model.layers.0.self_attn.q_proj.weight"}
// ROLLOUT-SAME: !qat.packed<128x64, <int4, group_size = 16>, host> {nn.parameter = "model.layers.0.mlp.up_proj.weight"}

// NONE: func.func @forward(
// NONE-NOT: qat.

// SLIME: !qat.packed<128x64, <int4, group_size = 32, convention = slime>, host>

// BAD: N2: group_size is 16, 32, 64, 128 or 0 for the whole row, not 7
