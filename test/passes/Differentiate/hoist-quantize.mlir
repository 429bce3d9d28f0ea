// RUN: nibble-opt %s -split-input-file --nibble-hoist-quantize | FileCheck %s
// RUN: nibble-opt %s -split-input-file --nibble-hoist-quantize --nibble-fuse | FileCheck %s --check-prefix=FUSED

// Through calls, forward and backward: a weight that was quantized in each is packed once, outside. A function with other callers is
// copied.

// CHECK-LABEL: func.func private @layer(
// CHECK: qat.fake_quant
// CHECK-LABEL: func.func private @layer_backward(
// CHECK-SAME: %[[P:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "w"}
// CHECK-NOT: qat.fake_quant
// CHECK: %[[W:.*]] = qat.dequantize %[[P]]
// CHECK: nn.linear_input_grad %{{.*}}, %[[W]]
// CHECK-LABEL: func.func @logits
// CHECK: call @layer(%{{.*}}, %{{.*}}) : (tensor<?x64xbf16>, tensor<32x64xbf16>)
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xbf16> {nn.input = "x"}, %[[P:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "w"}, %[[G:[a-z0-9]+]]: tensor<32x64xf32> {nn.state = "gradient:w"}
// CHECK: %[[Y:.*]] = call @layer_0(%[[X]], %[[P]])
// CHECK: call @layer_backward(%[[X]], %[[P]], %[[Y]], %[[G]])
// FUSED-LABEL: func.func private @layer_backward(
// FUSED: qat.linear_input_grad
func.func private @layer(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
func.func private @layer_backward(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}, %dy: tensor<?x32xbf16>,
                                  %g: tensor<32x64xf32>) -> (tensor<?x64xbf16>, tensor<32x64xf32>) {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %dw = nn.linear_weight_grad %dy, %x, %g : tensor<?x32xbf16>, tensor<?x64xbf16>, tensor<32x64xf32>
  %dx = nn.linear_input_grad %dy, %w4 : tensor<?x32xbf16>, tensor<32x64xbf16> -> tensor<?x64xbf16>
  return %dx, %dw : tensor<?x64xbf16>, tensor<32x64xf32>
}
func.func @logits(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
func.func @train_step(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<32x64xbf16> {nn.parameter = "w"},
                      %g: tensor<32x64xf32> {nn.state = "gradient:w"})
    -> (tensor<?x32xbf16>, tensor<?x64xbf16>, tensor<32x64xf32> {nn.output = "gradient:w"}) {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  %dx, %g1 = call @layer_backward(%x, %w, %y, %g) : (tensor<?x64xbf16>, tensor<32x64xbf16>, tensor<?x32xbf16>, tensor<32x64xf32>) -> (tensor<?x64xbf16>, tensor<32x64xf32>)
  return %y, %dx, %g1 : tensor<?x32xbf16>, tensor<?x64xbf16>, tensor<32x64xf32>
}

// -----

// The embedding of a tied head is not rounded: two arguments have one name.

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[E:[a-z0-9]+]]: tensor<32x64xbf16> {nn.parameter = "e"}, %[[P:[a-z0-9]+]]: !qat.packed<32x64, <int8, group_size = 0>, host> {nn.parameter = "e"}
// CHECK: nn.embedding %{{.*}}, %[[E]]
// CHECK: %[[W:.*]] = qat.dequantize %[[P]]
// CHECK: nn.linear %{{.*}}, %[[W]]
func.func @train_step(%tokens: tensor<?xi32>, %e: tensor<32x64xbf16> {nn.parameter = "e"}) -> tensor<?x32xf32> {
  %x = nn.embedding %tokens, %e : tensor<?xi32>, tensor<32x64xbf16> -> tensor<?x64xbf16>
  %w = qat.fake_quant %e {scheme = #qat.scheme<int8, group_size = 0>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// -----

// The forward function beside the step reads the same packed weights through the same copies, however deeply the quantization is nested.

// CHECK-LABEL: func.func private @act(
// CHECK: qat.fake_quant
// CHECK-LABEL: func.func @logits(
// CHECK: call @layer(
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: !qat.packed
// CHECK: call @[[LAYER:layer_[0-9]+]](
// CHECK-LABEL: func.func @log_probability(
// CHECK-SAME: !qat.packed
// CHECK: call @[[LAYER]](
// CHECK: func.func private @[[LAYER]](
// CHECK: call @[[ACT:act_[0-9]+]](
// CHECK: func.func private @[[ACT]](
// CHECK: qat.dequantize
// CHECK-NOT: func.func
func.func private @act(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
func.func private @layer(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16>) -> tensor<?x64xbf16> {
  %y = call @act(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
func.func @logits(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16> {nn.parameter = "w"}) -> tensor<?x64xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
func.func @train_step(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16> {nn.parameter = "w"}) -> tensor<?x64xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}
func.func @log_probability(%x: tensor<?x64xbf16>, %w: tensor<64x64xbf16> {nn.parameter = "w"}) -> tensor<?x64xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<64x64xbf16>) -> tensor<?x64xbf16>
  return %y : tensor<?x64xbf16>
}

// -----

// Every exact convention is hoisted: the scale for decoding is the one used in the division.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: !qat.packed<32x64, <int4, group_size = 32, convention = compressed_tensors>, host> {nn.parameter = "w"}
// CHECK-NOT: qat.fake_quant
func.func @train_step(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32, convention = compressed_tensors>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
