// Every scheme and convention by its name. The default convention is not printed. Blocks at the edges may be cut.
// RUN: nibble-opt %s | nibble-opt | FileCheck %s

// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 32>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 0, convention = slime>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 16, convention = compressed_tensors>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int8, group_size = 32>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<fp8, group_size = 128>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<mxfp4, group_size = 32>}
func.func @schemes(%w: tensor<32x160xbf16>) -> tensor<32x160xbf16> {
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32, convention = nibble>} : tensor<32x160xbf16>
  %b = qat.fake_quant %a {scheme = #qat.scheme<int4, group_size = 0, convention = slime>} : tensor<32x160xbf16>
  %c = qat.fake_quant %b {scheme = #qat.scheme<int4, group_size = 16, convention = compressed_tensors>} : tensor<32x160xbf16>
  %d = qat.fake_quant %c {scheme = #qat.scheme<int8, group_size = 32>} : tensor<32x160xbf16>
  %e = qat.fake_quant %d {scheme = #qat.scheme<fp8, group_size = 128>} : tensor<32x160xbf16>
  %f = qat.fake_quant %e {scheme = #qat.scheme<mxfp4, group_size = 32>} : tensor<32x160xbf16>
  return %f : tensor<32x160xbf16>
}
