// RUN: nibble-opt %s -split-input-file -verify-diagnostics --nibble-hoist-quantize | FileCheck %s

// These schemes are not exact: the step trains on other values than the rollout reads, so it has to round by itself.
// CHECK-LABEL: func.func @train_step(%{{.*}}: tensor<?x64xbf16>, %{{.*}}: tensor<32x64xbf16> {nn.parameter = "w"})
// CHECK: qat.fake_quant
func.func @train_step(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  // expected-remark @below {{nibble-hoist-quantize: stays inside the step: with this convention the weight trained on is not the packed weight, bit for bit}}
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32, convention = slime>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

// CHECK-LABEL: func.func @train_step(
// CHECK: qat.fake_quant
func.func @train_step(%x: tensor<?x64xbf16>, %w: tensor<64x32xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %e = tensor.empty() : tensor<32x64xbf16>
  %t = linalg.transpose ins(%w : tensor<64x32xbf16>) outs(%e : tensor<32x64xbf16>) permutation = [1, 0]
  // expected-remark @below {{nibble-hoist-quantize: stays inside the step: the weight is computed here, not an argument}}
  %w4 = qat.fake_quant %t {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

// -----

// expected-error @below {{nibble-hoist-quantize: there is no function @train_step; name one with function=}}
module {
}

// -----

func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}, %m: tensor<32x64xf32>, %h: tensor<8xf32>) -> (tensor<32x64xbf16>, tensor<32x64xbf16>) {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  // expected-error @below {{nibble-hoist-quantize: @train_step updates a weight, so what it quantizes is not the same from one use to the next}}
  %m1, %a, %b, %w1 = nn.adamw %m, %m, %m, %m, %h : tensor<32x64xf32>, tensor<8xf32> -> tensor<32x64xbf16>
  return %w4, %w1 : tensor<32x64xbf16>, tensor<32x64xbf16>
}

// -----

func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}) -> (tensor<32x64xbf16>, tensor<32x64xbf16>) {
  // expected-error @below {{nibble-hoist-quantize: one weight is read under two schemes}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %b = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64>} : tensor<32x64xbf16>
  return %a, %b : tensor<32x64xbf16>, tensor<32x64xbf16>
}

// -----

// The update would not update the packed weight.
func.func @train_step(%w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<32x64xbf16> {
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  return %a : tensor<32x64xbf16>
}
// expected-error @below {{nibble-hoist-quantize: @update does not write 'packed:w' as '!qat.packed<32x64, <int4, group_size = 32>, host>', which @train_step reads; make it with nibble-build-update before hoisting}}
func.func @update(%w: tensor<32x64xbf16>) -> (tensor<32x64xbf16> {nn.output = "weight:w"}) {
  return %w : tensor<32x64xbf16>
}
