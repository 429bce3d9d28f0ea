// RUN: nibble-opt %s --nibble-differentiate="recompute=none" | FileCheck %s

// Nothing is computed twice: the forward returns exactly what the backward needs. It does not return %s, which no gradient reads.

// CHECK: func.func private @layer_forward(%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<8x8xf32> {nn.parameter = "w"}) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
// CHECK-NEXT: %[[H:.*]] = nn.linear %[[X]], %[[W]]
// CHECK-NEXT: %[[S:.*]] = nn.swiglu %[[H]], %[[X]]
// CHECK-NEXT: %[[Y:.*]] = arith.addf %[[S]], %[[X]]
// CHECK-NEXT: return %[[Y]], %[[H]]
// CHECK: func.func private @layer_backward(%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<8x8xf32> {nn.parameter = "w"}, %[[H:.*]]: tensor<?x8xf32>, %[[DY:.*]]: tensor<?x8xf32>, %[[G:.*]]: tensor<8x8xf32> {nn.state = "gradient:w"}) -> tensor<8x8xf32>
// CHECK-NEXT: %[[DH:.*]], %{{.*}} = nn.swiglu_grad %[[DY]], %[[H]], %[[X]]
// CHECK-NEXT: %[[G1:.*]] = nn.linear_weight_grad %[[DH]], %[[X]], %[[G]]
// CHECK-NEXT: return %[[G1]]
// CHECK-LABEL: func.func @train_step(
// CHECK-NOT: call @layer(
// CHECK: %[[F:.*]]:2 = call @layer_forward(
// CHECK-NOT: call @layer(
// CHECK: call @layer_backward(%{{.*}}, %{{.*}}, %[[F]]#1, %{{.*}}, %{{.*}})
func.func private @layer(%x: tensor<?x8xf32>, %w: tensor<8x8xf32> {nn.parameter = "w"}) -> tensor<?x8xf32> {
  %h = nn.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %s = nn.swiglu %h, %x : tensor<?x8xf32>
  %y = arith.addf %s, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @loss(%x: tensor<?x8xf32>, %w: tensor<8x8xf32> {nn.parameter = "w"}, %targets: tensor<?xi32>, %temperature: tensor<?xf32>) -> tensor<f32> {
  %y = call @layer(%x, %w) : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %logp, %lse, %entropy = nn.log_probability %y, %targets, %temperature : tensor<?x8xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %logp : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}
