// nibble-opt knows our dialects in addition to upstream's, and prints what it read.
// RUN: nibble-opt %s | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @linear
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
// CHECK: nn.linear
func.func @linear(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
