// RUN: nibble-opt %s -split-input-file --nibble-differentiate | FileCheck %s

// The step is the forward function, then its reverse. The weight's gradient continues the accumulator. The input needs no gradient, so
// nothing is built for it.

// CHECK-LABEL: func.func @loss
// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xf32> {nn.input = "x"}
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x8xf32> {nn.parameter = "w"}
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<?xi32>
// CHECK-SAME: %[[TAU:[a-z0-9]+]]: tensor<?xf32>
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<4x8xf32> {nn.state = "gradient:w"}
// CHECK-SAME: -> (tensor<f32> {nn.output = "loss"}, tensor<4x8xf32> {nn.output = "gradient:w"})
// CHECK: %[[Y:.*]] = nn.linear %[[X]], %[[W]]
// CHECK: %[[LOGP:.*]], %[[LSE:.*]], %[[H:.*]] = nn.log_probability %[[Y]], %[[T]], %[[TAU]]
// CHECK: %[[SUM:.*]] = nn.sum %[[LOGP]]
// CHECK: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<f32>
// CHECK: %[[DLOGP:.*]] = nn.broadcast %[[ONE]], %[[LOGP]]
// CHECK: %[[ZERO:.*]] = linalg.fill
// CHECK: %[[DY:.*]] = nn.log_probability_grad %[[DLOGP]], %[[ZERO]], %[[Y]], %[[T]], %[[TAU]], %[[LSE]], %[[H]]
// CHECK: %[[G1:.*]] = nn.linear_weight_grad %[[DY]], %[[X]], %[[G]]
// CHECK-NOT: nn.linear_input_grad
// CHECK: return %[[SUM]], %[[G1]]
func.func @loss(%x: tensor<?x8xf32> {nn.input = "x"}, %w: tensor<4x8xf32> {nn.parameter = "w"}, %targets: tensor<?xi32>,
                %temperature: tensor<?xf32>) -> (tensor<f32> {nn.output = "loss"}) {
  %y = nn.linear %x, %w : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  %logp, %lse, %entropy = nn.log_probability %y, %targets, %temperature : tensor<?x4xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %logp : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// One backward function serves both calls. It recomputes the forward as far as the gradients need it. The second call's backward continues
// from the first one's gradient: two calls with one weight share its accumulator.

// CHECK-LABEL: func.func private @layer(
// CHECK: func.func private @layer_backward(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xbf16>, %[[W:[a-z0-9]+]]: tensor<8x8xbf16> {nn.parameter = "w"}, %[[DY:[a-z0-9]+]]: tensor<?x8xbf16>,
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<8x8xf32> {nn.state = "gradient:w"}
// CHECK-SAME: -> (tensor<?x8xbf16>, tensor<8x8xf32>)
// CHECK-NEXT: %[[W4:.*]] = qat.fake_quant %[[W]]
// CHECK-NEXT: %[[H:.*]] = nn.linear %[[X]], %[[W4]]
// CHECK-NEXT: %[[DG:.*]], %[[DU:.*]] = nn.swiglu_grad %[[DY]], %[[H]], %[[X]]
// CHECK-NEXT: %[[G1:.*]] = nn.linear_weight_grad %[[DG]], %[[X]], %[[G]]
// CHECK-NEXT: %[[DX:.*]] = nn.linear_input_grad %[[DG]], %[[W4]]
// CHECK-NEXT: %[[DX1:.*]] = arith.addf %[[DU]], %[[DX]] : tensor<?x8xbf16>
// CHECK-NEXT: return %[[DX1]], %[[G1]]
// CHECK-NOT: @layer_backward_
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[TOKENS:[a-z0-9]+]]: tensor<?xi32>, %[[TABLE:[a-z0-9]+]]: tensor<4x8xbf16> {nn.parameter = "table"}, %[[W:[a-z0-9]+]]: tensor<8x8xbf16> {nn.parameter = "w"}
// CHECK-SAME: %[[GT:[a-z0-9]+]]: tensor<4x8xf32> {nn.state = "gradient:table"}, %[[GW:[a-z0-9]+]]: tensor<8x8xf32> {nn.state = "gradient:w"}
// CHECK: %[[X0:.*]] = nn.embedding %[[TOKENS]], %[[TABLE]]
// CHECK: %[[X1:.*]] = call @layer(%[[X0]], %[[W]])
// CHECK: %[[X2:.*]] = call @layer(%[[X1]], %[[W]])
// CHECK: %[[LOGITS:.*]] = nn.linear %[[X2]], %[[TABLE]]
// CHECK: %[[GT1:.*]] = nn.linear_weight_grad %[[D:.*]], %[[X2]], %[[GT]]
// CHECK: %[[D2:.*]] = nn.linear_input_grad %[[D]], %[[TABLE]] : {{.*}} -> tensor<?x8xbf16>
// CHECK: %[[B2:.*]]:2 = call @layer_backward(%[[X1]], %[[W]], %[[D2]], %[[GW]])
// CHECK: %[[B1:.*]]:2 = call @layer_backward(%[[X0]], %[[W]], %[[B2]]#0, %[[B2]]#1)
// CHECK: %[[GT2:.*]] = nn.embedding_grad %[[B1]]#0, %[[TOKENS]], %[[GT1]]
// CHECK: return %{{.*}}, %[[GT2]], %[[B1]]#1
func.func private @layer(%x: tensor<?x8xbf16>, %w: tensor<8x8xbf16> {nn.parameter = "w"}) -> tensor<?x8xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 0>} : tensor<8x8xbf16>
  %h = nn.linear %x, %w4 : tensor<?x8xbf16>, tensor<8x8xbf16> -> tensor<?x8xbf16>
  %y = nn.swiglu %h, %x : tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}
func.func @loss(%tokens: tensor<?xi32>, %table: tensor<4x8xbf16> {nn.parameter = "table"}, %w: tensor<8x8xbf16> {nn.parameter = "w"},
                %temperature: tensor<?xf32>) -> tensor<f32> {
  %x0 = nn.embedding %tokens, %table : tensor<?xi32>, tensor<4x8xbf16> -> tensor<?x8xbf16>
  %x1 = call @layer(%x0, %w) : (tensor<?x8xbf16>, tensor<8x8xbf16>) -> tensor<?x8xbf16>
  %x2 = call @layer(%x1, %w) : (tensor<?x8xbf16>, tensor<8x8xbf16>) -> tensor<?x8xbf16>
  %y = nn.linear %x2, %table : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xf32>
  %logp, %lse, %entropy = nn.log_probability %y, %tokens, %temperature : tensor<?x4xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %entropy : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A parameter that the loss does not reach keeps its accumulator unchanged.

// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<3xf32> {nn.state = "gradient:unused"}
// CHECK: return %{{.*}}, %[[G]]
func.func @loss(%x: tensor<?xf32>, %w: tensor<3xbf16> {nn.parameter = "unused"}) -> tensor<f32> {
  %loss = nn.sum %x : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}

// -----

// A call of a public function is inlined. Only private functions are units of recomputation.

// CHECK-LABEL: func.func @train_step
// CHECK-NOT: call
// CHECK: nn.linear
// CHECK: nn.linear_weight_grad
func.func @logits(%x: tensor<?x4xf32>, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> tensor<?x3xf32> {
  %y = nn.linear %x, %w : tensor<?x4xf32>, tensor<3x4xf32> -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
func.func @loss(%x: tensor<?x4xf32>, %w: tensor<3x4xf32> {nn.parameter = "w"}, %targets: tensor<?xi32>, %temperature: tensor<?xf32>) -> tensor<f32> {
  %y = call @logits(%x, %w) : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32>
  %logp, %lse, %entropy = nn.log_probability %y, %targets, %temperature : tensor<?x3xf32>, tensor<?xi32>, tensor<?xf32>
  %loss = nn.sum %logp : tensor<?xf32> -> tensor<f32>
  return %loss : tensor<f32>
}
