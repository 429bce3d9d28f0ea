// RUN: nibble-opt %s --nibble-host-loops --split-input-file | FileCheck %s

// The scales of a row come first, eight groups at a time. Each block is then transposed in registers, from columns to packed words. When
// all scales are ordinary, it uses reciprocals and no clamp.
// CHECK-LABEL: func.func private @qat_quantize_0
// CHECK: scf.parallel
// CHECK-COUNT-8: vector.load %arg0[{{.*}}] : memref<4x128xbf16>, vector<16xbf16>
// CHECK-NOT: vector.load %arg0
// CHECK: arith.divf {{.*}} : vector<8xf32>
// CHECK: vector.store %{{.*}}, %arg1[{{.*}}] : memref<{{.*}}xi8>, vector<4xi8>
// CHECK: vector.reduction <maxui>
// CHECK: scf.if
// CHECK-COUNT-8: vector.load %arg0[{{.*}}] : memref<4x128xbf16>, vector<16xbf16>
// CHECK-COUNT-8: math.fma
// CHECK-NOT: {{arith.divf|minnumf}}
// CHECK: vector.store %{{.*}}, %arg1[{{.*}}] : memref<{{.*}}xi8>, vector<64xi8>
// CHECK: } else {
// CHECK-COUNT-8: arith.divf {{.*}} : vector<16xf32>
#int4 = #qat.scheme<int4, group_size = 64>
func.func @quantize(%w: tensor<4x128xbf16>) -> !qat.packed<4x128, #int4, host> {
  %p = qat.quantize %w : tensor<4x128xbf16> -> !qat.packed<4x128, #int4, host>
  return %p : !qat.packed<4x128, #int4, host>
}

// -----

// A scale with more than eight bits has no suitable reciprocal, so every element is divided.
// CHECK-LABEL: func.func private @qat_fake_quant_0
// CHECK-COUNT-4: arith.divf {{.*}} : vector<16xf32>
// CHECK-NOT: math.fma
func.func @slime(%w: tensor<4x64xbf16>) -> tensor<4x64xbf16> {
  %q = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64, convention = slime>} : tensor<4x64xbf16>
  return %q : tensor<4x64xbf16>
}
