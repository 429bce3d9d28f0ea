// RUN: nibble-opt %s --nibble-attach-objective | FileCheck %s --check-prefixes=CHECK,SFT
// RUN: nibble-opt %s --nibble-attach-objective="objective=grpo options=clip_high=0.28,kl=0.5" | FileCheck %s --check-prefixes=CHECK,GRPO
// RUN: nibble-opt %s --nibble-attach-objective=objective=%S/Inputs/smoothed.mlir | FileCheck %s --check-prefixes=CHECK,OWN
// RUN: nibble-opt %s --nibble-attach-objective=objective=grpo --nibble-differentiate | FileCheck %s --check-prefix=STEP

// CHECK-LABEL: func.func @loss(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xbf16> {nn.input = "x"}, %[[W:[a-z0-9]+]]: tensor<4x8xbf16> {nn.parameter = "w"}
// CHECK-SAME: %[[TARGETS:[a-z0-9]+]]: tensor<?xi32> {nn.input = "targets"}, %[[TAU:[a-z0-9]+]]: tensor<?xf32> {nn.input = "temperature"}
// CHECK-SAME: %[[MASK:[a-z0-9]+]]: tensor<?xf32> {nn.input = "mask"}, %[[WEIGHT:[a-z0-9]+]]: tensor<?xf32> {nn.input = "weight"}
// GRPO-SAME: %[[OLD:[a-z0-9]+]]: tensor<?xf32> {nn.input = "old_logp"}
// GRPO-SAME: %[[REFERENCE:[a-z0-9]+]]: tensor<?xf32> {nn.input = "reference_logp"}
// GRPO-SAME: %[[ADVANTAGE:[a-z0-9]+]]: tensor<?xf32> {nn.input = "advantage"}
// CHECK-SAME: -> (tensor<f32> {nn.output = "loss"}, tensor<?xf32> {nn.output = "logp"}, tensor<?xf32> {nn.output = "entropy"}
// GRPO-SAME: tensor<f32> {nn.output = "kl"}, tensor<f32> {nn.output = "clip_fraction"}
// CHECK-SAME: tensor<?xf32> {nn.output = "rows:loss"}
// GRPO-SAME: tensor<?xf32> {nn.output = "rows:kl"}, tensor<?xf32> {nn.output = "rows:clip_fraction"}
// CHECK: %[[LOGITS:.*]] = nn.linear %[[X]], %[[W]]
// CHECK: %[[LOGP:.*]], %{{.*}}, %[[ENTROPY:.*]] = nn.log_probability %[[LOGITS]], %[[TARGETS]], %[[TAU]]
// SFT: %[[TERM:.*]] = linalg.generic {{.*}} ins(%[[LOGP]] : tensor<?xf32>)
// SFT: arith.negf
// SFT: %[[MASKED:.*]] = arith.mulf %[[TERM]], %[[MASK]] : tensor<?xf32>
// SFT: %[[WEIGHTED:.*]] = arith.mulf %[[MASKED]], %[[WEIGHT]] : tensor<?xf32>
// SFT: %[[LOSS:.*]] = nn.sum %[[WEIGHTED]]
// SFT: return %[[LOSS]], %[[LOGP]], %[[ENTROPY]], %[[WEIGHTED]] :
// GRPO: linalg.generic {{.*}} ins(%[[LOGP]], %[[ENTROPY]], %[[OLD]], %[[REFERENCE]], %[[ADVANTAGE]] :
// GRPO-NOT: option
// GRPO-DAG: arith.constant 2.800000e-01 : f32
// GRPO-DAG: arith.constant 5.000000e-01 : f32
// GRPO: linalg.yield
// OWN: %[[SMOOTH:.*]] = arith.addf %[[LOGP]], %[[ENTROPY]] : tensor<?xf32>
// OWN: arith.mulf %[[SMOOTH]], %[[MASK]]

// One token's gradient. Among the objective's inputs, only logp and entropy are on the path.
// STEP-LABEL: func.func @train_step
// STEP: nn.sum
// STEP: %[[D:.*]]:2 = linalg.generic
// STEP: nn.log_probability_grad %[[D]]#0, %[[D]]#1
func.func @logits(%x: tensor<?x8xbf16> {nn.input = "x"}, %w: tensor<4x8xbf16> {nn.parameter = "w"}) -> tensor<?x4xf32> {
  %y = nn.linear %x, %w : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
