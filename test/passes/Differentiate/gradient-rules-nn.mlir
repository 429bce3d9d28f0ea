// RUN: nibble-opt %s -split-input-file --nibble-differentiate="function=f seed=arguments wrt=args=0,1 result-function=g" | FileCheck %s

// One rule for each op of nn: the gradients of its operands. DifferentiateTests check the numbers.

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xbf16>, %[[W:[a-z0-9]+]]: tensor<4x8xbf16>, %[[B:[a-z0-9]+]]: tensor<4xbf16>, %[[R:[a-z0-9]+]]: tensor<?x4xbf16>, %[[DY:[a-z0-9]+]]: tensor<?x4xbf16> {nn.input = "gradient:result0"}
// CHECK-SAME: -> (tensor<?x4xbf16>, tensor<?x8xbf16> {nn.output = "gradient:arg0"}, tensor<4x8xbf16> {nn.output = "gradient:arg1"})
// CHECK-NOT: nn.sum_tokens
// CHECK: %[[DW:.*]] = nn.linear_weight_grad %[[DY]], %[[X]], %{{.*}} : tensor<?x4xbf16>, tensor<?x8xbf16>, tensor<4x8xf32>
// CHECK: %[[DW16:.*]] = arith.truncf %[[DW]] : tensor<4x8xf32> to tensor<4x8xbf16>
// CHECK: %[[DX:.*]] = nn.linear_input_grad %[[DY]], %[[W]] : tensor<?x4xbf16>, tensor<4x8xbf16> -> tensor<?x8xbf16>
// CHECK: return %{{.*}}, %[[DX]], %[[DW16]]
func.func @f(%x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>, %b: tensor<4xbf16>, %r: tensor<?x4xbf16>) -> tensor<?x4xbf16> {
  %y = nn.linear %x, %w bias(%b : tensor<4xbf16>) residual(%r : tensor<?x4xbf16>) : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}

// -----

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[B:[a-z0-9]+]]: tensor<4xbf16> {nn.parameter = "b"}, %[[R:[a-z0-9]+]]: tensor<?x4xbf16>
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<4xf32> {nn.state = "gradient:b"}, %[[DY:[a-z0-9]+]]: tensor<?x4xbf16> {nn.input
// CHECK-NOT: nn.linear_weight_grad
// CHECK: %[[DB:.*]] = nn.sum_tokens %[[DY]], %[[G]]
// CHECK-NOT: nn.linear_input_grad
// CHECK: return %{{.*}}, %[[DB]], %[[DY]]
func.func @f(%b: tensor<4xbf16> {nn.parameter = "b"}, %r: tensor<?x4xbf16>, %x: tensor<?x8xbf16>, %w: tensor<4x8xbf16>) -> tensor<?x4xbf16> {
  %y = nn.linear %x, %w bias(%b : tensor<4xbf16>) residual(%r : tensor<?x4xbf16>) : tensor<?x8xbf16>, tensor<4x8xbf16> -> tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}

// -----

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x8xbf16>, %[[W:[a-z0-9]+]]: tensor<8xbf16> {nn.parameter = "w"}, %[[G:[a-z0-9]+]]: tensor<8xf32> {nn.state = "gradient:w"}, %[[DY:[a-z0-9]+]]: tensor<?x8xbf16>
// CHECK: %[[DX:.*]], %[[DW:.*]] = nn.rms_norm_grad %[[DY]], %[[X]], %[[W]], %[[G]] {epsilon = 9.99999997E-7 : f32}
// CHECK: return %{{.*}}, %[[DX]], %[[DW]]
func.func @f(%x: tensor<?x8xbf16>, %w: tensor<8xbf16> {nn.parameter = "w"}) -> tensor<?x8xbf16> {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x8xbf16>, tensor<8xbf16>
  return %y : tensor<?x8xbf16>
}

// -----

// Rope rotates back. Two gradients of one value are added.

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[DY:[a-z0-9]+]]: tensor<?x8xbf16> {nn.input = "gradient:result0"}, %[[DZ:[a-z0-9]+]]: tensor<?x8xbf16> {nn.input = "gradient:result1"}
// CHECK: %[[A:.*]] = nn.rope %[[DZ]], %{{.*}}, %{{.*}} : tensor<?x8xbf16>, tensor<?x4xf32>
// CHECK: %[[B:.*]] = nn.rope %[[DY]], %{{.*}}, %{{.*}} {inverse} : tensor<?x8xbf16>, tensor<?x4xf32>
// CHECK: arith.addf %[[A]], %[[B]] : tensor<?x8xbf16>
func.func @f(%x: tensor<?x8xbf16>, %unused: tensor<2xf32>, %cos: tensor<?x4xf32>, %sin: tensor<?x4xf32>) -> (tensor<?x8xbf16>, tensor<?x8xbf16>) {
  %y = nn.rope %x, %cos, %sin : tensor<?x8xbf16>, tensor<?x4xf32>
  %z = nn.rope %x, %cos, %sin {inverse} : tensor<?x8xbf16>, tensor<?x4xf32>
  return %y, %z : tensor<?x8xbf16>, tensor<?x8xbf16>
}

// -----

// CHECK-LABEL: func.func @g(
// CHECK: %[[Y:.*]], %[[LSE:.*]] = nn.attention %[[Q:.*]], %[[K:.*]], %[[V:.*]], %[[P:.*]], %[[S:.*]] {heads
// CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = nn.attention_grad %{{.*}}, %[[Q]], %[[K]], %[[V]], %[[Y]], %[[LSE]], %[[P]], %[[S]] {heads = 2 : i64, kv_block = 64 : i64, kv_heads = 1 : i64, scale = 5.000000e-01 : f32, window = 128 : i64}
// CHECK: return %[[Y]], %[[DQ]], %[[DK]]
func.func @f(%q: tensor<?x8xbf16>, %k: tensor<?x4xbf16>, %v: tensor<?x4xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> tensor<?x8xbf16> {
  %y, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64, window = 128}
      : tensor<?x8xbf16>, tensor<?x4xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x8xbf16>
}

// -----

// The straight-through estimate (N8) computes nothing and keeps the parameter's precision. Also the rows of a table.

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<4x16xbf16> {nn.parameter = "w"}
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<4x16xf32> {nn.state = "gradient:w"}, %[[DY:[a-z0-9]+]]: tensor<?x16xbf16> {nn.input = "gradient:result0"}, %[[DZ:[a-z0-9]+]]: tensor<?x4xbf16>
// CHECK: %[[G1:.*]] = nn.linear_weight_grad %[[DZ]], %{{.*}}, %[[G]]
// CHECK: %[[G2:.*]] = nn.embedding_grad %{{.*}}, %{{.*}}, %[[G1]]
// CHECK: return %{{.*}}, %{{.*}}, %[[G2]]
func.func @f(%w: tensor<4x16xbf16> {nn.parameter = "w"}, %unused: tensor<2xf32>, %tokens: tensor<?xi32>) -> (tensor<?x16xbf16>, tensor<?x4xbf16>) {
  %s = qat.straight_through %w : tensor<4x16xbf16> {
  ^bb0(%a: tensor<4x16xbf16>):
    %r = math.roundeven %a : tensor<4x16xbf16>
    qat.yield %r : tensor<4x16xbf16>
  }
  %w4 = qat.fake_quant %s {scheme = #qat.scheme<int4, group_size = 16>} : tensor<4x16xbf16>
  %x = nn.embedding %tokens, %w : tensor<?xi32>, tensor<4x16xbf16> -> tensor<?x16xbf16>
  %z = nn.linear %x, %w4 : tensor<?x16xbf16>, tensor<4x16xbf16> -> tensor<?x4xbf16>
  return %x, %z : tensor<?x16xbf16>, tensor<?x4xbf16>
}
