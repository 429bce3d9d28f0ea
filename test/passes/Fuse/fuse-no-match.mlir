// An op stays when fusion would change a bit or compute something twice.
// RUN: nibble-opt %s --nibble-fuse --split-input-file | FileCheck %s

// N6 does not hold for these schemes: the decoded weight is not on the grid of the second rounding.
// CHECK-LABEL: func.func @schemes(
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 64>}
// CHECK: qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 32, convention = slime>}
// The last scheme is exact, but no fixed point: a group whose largest weight has the code 7 gets a smaller scale the second time.
// CHECK: %[[ONCE:.*]] = qat.fake_quant %{{.*}} {scheme = #qat.scheme<int4, group_size = 32, convention = compressed_tensors>}
// CHECK: qat.fake_quant %[[ONCE]] {scheme = #qat.scheme<int4, group_size = 32, convention = compressed_tensors>}
func.func @schemes(%p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>,
                   %q: !qat.packed<32x64, #qat.scheme<int4, group_size = 32, convention = slime>, host>,
                   %r: !qat.packed<32x64, #qat.scheme<int4, group_size = 32, convention = compressed_tensors>, host>)
    -> (tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>) {
  %w = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<32x64xbf16>
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64>} : tensor<32x64xbf16>
  %v = qat.dequantize %q : !qat.packed<32x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> -> tensor<32x64xbf16>
  %b = qat.fake_quant %v {scheme = #qat.scheme<int4, group_size = 32, convention = slime>} : tensor<32x64xbf16>
  %u = qat.dequantize %r : !qat.packed<32x64, #qat.scheme<int4, group_size = 32, convention = compressed_tensors>, host> -> tensor<32x64xbf16>
  %c = qat.fake_quant %u {scheme = #qat.scheme<int4, group_size = 32, convention = compressed_tensors>} : tensor<32x64xbf16>
  %d = qat.fake_quant %c {scheme = #qat.scheme<int4, group_size = 32, convention = compressed_tensors>} : tensor<32x64xbf16>
  return %a, %b, %d : tensor<32x64xbf16>, tensor<32x64xbf16>, tensor<32x64xbf16>
}

// -----

// A linear that is used twice, one that has a residual already, an addition that may be reordered, and a sum of other things.
// CHECK-LABEL: func.func @additions(
// CHECK-COUNT-4: arith.addf
// CHECK-NOT: arith.addf
func.func @additions(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %v: tensor<32x64xbf16>, %u: tensor<32x64xbf16>, %r: tensor<?x32xbf16>)
    -> (tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>) {
  %a = nn.linear %x, %w : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %0 = arith.addf %a, %r : tensor<?x32xbf16>
  %b = nn.linear %x, %v residual(%r : tensor<?x32xbf16>) : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %1 = arith.addf %b, %r : tensor<?x32xbf16>
  %c = nn.linear %x, %u : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %2 = arith.addf %c, %r fastmath<reassoc> : tensor<?x32xbf16>
  %3 = arith.addf %r, %r : tensor<?x32xbf16>
  return %a, %0, %1, %2, %3 : tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x32xbf16>
}

// -----

// A vector down the columns is no bias.
// CHECK-LABEL: func.func @columns(
// CHECK: nn.linear %{{.*}}, %{{.*}} :
// CHECK: arith.addf
func.func @columns(%x: tensor<32x64xf32>, %w: tensor<32x64xf32>, %v: tensor<32xf32>, %empty: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %y = nn.linear %x, %w : tensor<32x64xf32>, tensor<32x64xf32> -> tensor<32x32xf32>
  %rows = linalg.broadcast ins(%v : tensor<32xf32>) outs(%empty : tensor<32x32xf32>) dimensions = [1]
  %z = arith.addf %rows, %y : tensor<32x32xf32>
  return %z : tensor<32x32xf32>
}
