// RUN: nibble-opt %s --nibble-pack-weights | FileCheck %s

// @training shares @layer, which therefore stays unchanged.
// CHECK-LABEL: func.func private @layer(
// CHECK-SAME: tensor<32x64xbf16> {nn.parameter = "w"}
// CHECK: qat.fake_quant
// CHECK-LABEL: func.func @training(
// CHECK: call @layer(

// The table is read both rounded and unrounded, so both forms exist under one name.
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[TABLE:[a-z0-9]+]]: tensor<96x64xbf16> {nn.parameter = "table"}
// CHECK-SAME: %[[PACKED:[a-z0-9]+]]: !qat.packed<96x64, <int8, group_size = 64>, host> {nn.parameter = "table"}
// CHECK-SAME: %[[W0:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "0.w"}
// CHECK-SAME: %[[W1:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "1.w"})
// CHECK: nn.embedding %{{.*}}, %[[TABLE]]
// CHECK: call @layer_0(%{{.*}}, %[[W0]])
// CHECK: call @layer_0(%{{.*}}, %[[W1]])
// CHECK: %[[T:.*]] = qat.dequantize %[[PACKED]]
// CHECK: nn.linear %{{.*}}, %[[T]]

// CHECK-LABEL: func.func private @layer_0(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host> {nn.parameter = "w"})
// CHECK: qat.dequantize %[[W]]

func.func private @layer(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

func.func @training(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "0.w"}) -> tensor<?x32xbf16> {
  %y = call @layer(%x, %w) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

func.func @forward(%tokens: tensor<?xi32>, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                   %w0: tensor<32x64xbf16> {nn.parameter = "0.w"}, %w1: tensor<32x64xbf16> {nn.parameter = "1.w"})
    -> (tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x96xf32>) {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %0 = call @layer(%x, %w0) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  %1 = call @layer(%x, %w1) : (tensor<?x64xbf16>, tensor<32x64xbf16>) -> tensor<?x32xbf16>
  %t = qat.fake_quant %table {scheme = #qat.scheme<int8, group_size = 64>} : tensor<96x64xbf16>
  %y = nn.linear %x, %t : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %0, %1, %y : tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x96xf32>
}
