// RUN: nibble-opt %s --nibble-recognize-linear="function=loss layout=value" | FileCheck %s --check-prefix=VALUE
// RUN: nibble-opt %s --nibble-recognize-linear="function=loss" | FileCheck %s --check-prefix=ARGUMENT
// RUN: nibble-opt %s --nibble-recognize-linear="function=loss" --nibble-quantize=group-size=16 --nibble-differentiate --nibble-build-update --nibble-hoist-quantize --nibble-fuse --nibble-verify-stage=stage=hoist --nibble-lower-to-host | FileCheck %s --check-prefix=HOST

// A handwritten classifier with its loss in linalg and math. Weights are [K, N], and a bias is the initial value of a matmul.

// VALUE-LABEL: func.func @loss(
// VALUE-SAME: %[[W1:[a-z0-9]+]]: tensor<16x32xbf16> {nn.parameter = "w1"}
// VALUE: %[[T:.*]] = linalg.transpose ins(%[[W1]] : tensor<16x32xbf16>)
// VALUE: nn.linear %{{.*}}, %[[T]] : tensor<4x16xbf16>, tensor<32x16xbf16> -> tensor<4x32xf32>
// VALUE: arith.addf
// ARGUMENT-LABEL: func.func @loss(
// ARGUMENT-SAME: %[[W1:[a-z0-9]+]]: tensor<32x16xbf16> {nn.parameter = "w1", nn.transposed}
// ARGUMENT-SAME: %[[W2:[a-z0-9]+]]: tensor<4x32xf32> {nn.parameter = "w2", nn.transposed}
// ARGUMENT: %[[Y:.*]] = nn.linear %{{.*}}, %[[W1]] : tensor<4x16xbf16>, tensor<32x16xbf16> -> tensor<4x32xf32>
// ARGUMENT: arith.addf %[[Y]], %{{.*}} : tensor<4x32xf32>
// ARGUMENT: nn.linear %{{.*}}, %[[W2]]
// HOST: llvm.func @train_step
func.func @loss(%x: tensor<4x16xbf16> {nn.input = "x"}, %targets: tensor<4xi32> {nn.input = "targets"},
                %w1: tensor<16x32xbf16> {nn.parameter = "w1"}, %b1: tensor<32xf32> {nn.parameter = "b1"},
                %w2: tensor<32x4xf32> {nn.parameter = "w2"}) -> (tensor<f32> {nn.output = "loss"}) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %e32 = tensor.empty() : tensor<4x32xf32>
  %bias = linalg.broadcast ins(%b1 : tensor<32xf32>) outs(%e32 : tensor<4x32xf32>) dimensions = [0]
  %h = linalg.matmul ins(%x, %w1 : tensor<4x16xbf16>, tensor<16x32xbf16>) outs(%bias : tensor<4x32xf32>) -> tensor<4x32xf32>
  %a = linalg.tanh ins(%h : tensor<4x32xf32>) outs(%e32 : tensor<4x32xf32>) -> tensor<4x32xf32>
  %e4 = tensor.empty() : tensor<4x4xf32>
  %z4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %logits = linalg.matmul ins(%a, %w2 : tensor<4x32xf32>, tensor<32x4xf32>) outs(%z4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %one : tensor<4x4xf32>, tensor<4xi32>, tensor<4xf32>
  %e = tensor.empty() : tensor<f32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %total = linalg.reduce {arith.addf} ins(%logp : tensor<4xf32>) outs(%z : tensor<f32>) dimensions = [0]
  %loss = arith.negf %total : tensor<f32>
  return %loss : tensor<f32>
}
