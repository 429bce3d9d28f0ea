// RUN: nibble-opt %s --nibble-fuse --split-input-file | FileCheck %s

// The linear itself reads a packed weight, bias and residual included.
// CHECK-LABEL: func.func @packed(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xbf16>, %[[P:[a-z0-9]+]]: !qat.packed<32x64, <int4, group_size = 32>, host>, %[[B:[a-z0-9]+]]: tensor<32xbf16>, %[[R:[a-z0-9]+]]: tensor<?x32xbf16>
// CHECK-NEXT: %[[Y:.*]] = qat.linear %[[X]], %[[P]] bias(%[[B]] : tensor<32xbf16>) residual(%[[R]] : tensor<?x32xbf16>)
// CHECK-NEXT: return %[[Y]]
func.func @packed(%x: tensor<?x64xbf16>, %p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>, %bias: tensor<32xbf16>,
                  %residual: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %w = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<32x64xbf16>
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xbf16>
  %y = nn.linear %x, %w4 bias(%bias : tensor<32xbf16>) : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %z = arith.addf %y, %residual : tensor<?x32xbf16>
  return %z : tensor<?x32xbf16>
}

// -----

// CHECK-LABEL: func.func @gradient(
// CHECK-NEXT: qat.linear_input_grad %{{.*}}, %{{.*}} : tensor<?x32xbf16>, !qat.packed<32x64
// CHECK-NEXT: return
func.func @gradient(%dy: tensor<?x32xbf16>, %p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x64xbf16> {
  %w = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<32x64xbf16>
  %dx = nn.linear_input_grad %dy, %w : tensor<?x32xbf16>, tensor<32x64xbf16> -> tensor<?x64xbf16>
  return %dx : tensor<?x64xbf16>
}

// -----

// The residual may be computed after the linear. The second of two linears takes the first as its residual.
// CHECK-LABEL: func.func @residuals(
// CHECK: %[[S:.*]] = nn.swiglu
// CHECK: %[[Y:.*]] = nn.linear %{{.*}} residual(%[[S]] : tensor<?x32xbf16>)
// CHECK: %[[Q:.*]] = nn.linear
// CHECK: %[[Z:.*]] = nn.linear %{{.*}} residual(%[[Q]] : tensor<?x32xbf16>)
// CHECK: return %[[Y]], %[[Z]]
func.func @residuals(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16>, %v: tensor<32x64xbf16>, %u: tensor<32x64xbf16>, %g: tensor<?x32xbf16>)
    -> (tensor<?x32xbf16>, tensor<?x32xbf16>) {
  %a = nn.linear %x, %w : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %s = nn.swiglu %g, %g : tensor<?x32xbf16>
  %y = arith.addf %a, %s : tensor<?x32xbf16>
  %b = nn.linear %x, %v : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %c = nn.linear %x, %u : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %z = arith.addf %b, %c : tensor<?x32xbf16>
  return %y, %z : tensor<?x32xbf16>, tensor<?x32xbf16>
}

// -----

// A vector added to every row is a bias. What is added next is a residual.
// CHECK-LABEL: func.func @bias(
// CHECK: nn.linear %{{.*}} bias(%{{.*}} : tensor<32xf32>) residual(%{{.*}} : tensor<?x32xf32>)
// CHECK-NOT: arith.addf
func.func @bias(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>, %bias: tensor<32xf32>, %r: tensor<?x32xf32>, %empty: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
  %rows = linalg.broadcast ins(%bias : tensor<32xf32>) outs(%empty : tensor<?x32xf32>) dimensions = [0]
  %z = arith.addf %rows, %y : tensor<?x32xf32>
  %s = arith.addf %r, %z : tensor<?x32xf32>
  return %s : tensor<?x32xf32>
}

// -----

// The same rotation is computed only once.
// CHECK-LABEL: func.func @common(
// CHECK-COUNT-1: nn.rope
// CHECK-NOT: nn.rope
func.func @common(%x: tensor<?x64xf32>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  %a = nn.rope %x, %cos, %sin : tensor<?x64xf32>, tensor<?x16xf32>
  %b = nn.rope %x, %cos, %sin : tensor<?x64xf32>, tensor<?x16xf32>
  return %a, %b : tensor<?x64xf32>, tensor<?x64xf32>
}

// -----

// Attributes that a linear has beyond its definition move to its replacement.
// CHECK-LABEL: func.func @attributes(
// CHECK: qat.linear %{{.*}}, %{{.*}} residual(%{{.*}} : tensor<?x32xbf16>) {hopper.splits = 2 : i64}
// CHECK: nn.linear %{{.*}}, %{{.*}} bias(%{{.*}} : tensor<32xbf16>) {hopper.splits = 4 : i64}
// CHECK: qat.linear_input_grad %{{.*}}, %{{.*}} {hopper.tile = 8 : i64}
func.func @attributes(%x: tensor<?x64xbf16>, %p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>, %w: tensor<32x64xbf16>,
                      %bias: tensor<32xbf16>, %r: tensor<?x32xbf16>, %empty: tensor<?x32xbf16>)
    -> (tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x64xbf16>) {
  %d = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<32x64xbf16>
  %a = nn.linear %x, %d {hopper.splits = 2 : i64} : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %b = arith.addf %r, %a : tensor<?x32xbf16>
  %c = nn.linear %x, %w {hopper.splits = 4 : i64} : tensor<?x64xbf16>, tensor<32x64xbf16> -> tensor<?x32xbf16>
  %rows = linalg.broadcast ins(%bias : tensor<32xbf16>) outs(%empty : tensor<?x32xbf16>) dimensions = [0]
  %e = arith.addf %rows, %c : tensor<?x32xbf16>
  %f = nn.linear_input_grad %r, %d {hopper.tile = 8 : i64} : tensor<?x32xbf16>, tensor<32x64xbf16> -> tensor<?x64xbf16>
  return %b, %e, %f : tensor<?x32xbf16>, tensor<?x32xbf16>, tensor<?x64xbf16>
}
