// RUN: nibble-opt %s --nibble-fuse-launches --split-input-file | FileCheck %s

// The norm of the heads, the rotation and the cache write of a layer.
// CHECK-LABEL: func.func @normed(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x64xbf16>, %[[K:[a-z0-9]+]]: tensor<?x32xbf16>, %[[V:[a-z0-9]+]]: tensor<?x32xbf16>
// CHECK-SAME: %[[NQ:[a-z0-9]+]]: tensor<32xbf16>, %[[NK:[a-z0-9]+]]: tensor<32xbf16>
// CHECK-NEXT: %[[R:[a-z0-9]+]], %[[KC:.*]], %[[VC:.*]] = nn.rope_cache_write %[[Q]], %[[K]], %[[V]], {{.*}} norms(%[[NQ]], %[[NK]] : tensor<32xbf16>, tensor<32xbf16>) {epsilon = 9.99999997E-7 : f32}
// CHECK-NEXT: nn.paged_attention %[[R]], %[[KC]], %[[VC]],
// CHECK-NEXT: return
func.func @normed(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                  %nq: tensor<32xbf16>, %nk: tensor<32xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                  %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %q1 = nn.rms_norm %q, %nq {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<32xbf16>
  %k1 = nn.rms_norm %k, %nk {epsilon = 1.0e-6 : f32} : tensor<?x32xbf16>, tensor<32xbf16>
  %q2 = nn.rope %q1, %cos, %sin : tensor<?x64xbf16>, tensor<?x16xf32>
  %k2 = nn.rope %k1, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k2, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q2, %kc1, %vc1, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.17 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// -----

// A model without norms of heads. A norm of a whole row before the rotation stays.
// CHECK-LABEL: func.func @rows(
// CHECK: %[[Q:.*]] = nn.rms_norm
// CHECK: nn.rope_cache_write %[[Q]], %{{.*}} : tensor<?x64xbf16>
// CHECK-NOT: {{nn.rope |nn.cache_write}}
func.func @rows(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                %nq: tensor<64xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %q1 = nn.rms_norm %q, %nq {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  %q2 = nn.rope %q1, %cos, %sin : tensor<?x64xbf16>, tensor<?x16xf32>
  %k2 = nn.rope %k, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k2, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q2, %kc1, %vc1, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.17 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// -----

// Packed gate and up without other users. The linears' attributes are kept.
// CHECK-LABEL: func.func @packed(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xbf16>, %[[G:[a-z0-9]+]]: !qat.packed{{.*}}, %[[U:[a-z0-9]+]]: !qat.packed
// CHECK-NEXT: %[[Y:.*]] = qat.linear_swiglu %[[X]], %[[G]], %[[U]] {hopper.splits = 2 : i64} : tensor<?x64xbf16>, !qat.packed<128x64,
// CHECK-NEXT: return %[[Y]]
func.func @packed(%x: tensor<?x64xbf16>, %g: !qat.packed<128x64, <int4, group_size = 32>, host>, %u: !qat.packed<128x64, <int4, group_size = 32>, host>)
    -> tensor<?x128xbf16> {
  %gate = qat.linear %x, %g {hopper.splits = 2 : i64} : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, host> -> tensor<?x128xbf16>
  %up = qat.linear %x, %u {hopper.splits = 2 : i64} : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, host> -> tensor<?x128xbf16>
  %y = nn.swiglu %gate, %up : tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// -----

// CHECK-LABEL: func.func @plain(
// CHECK: nn.linear_swiglu %{{.*}} : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
// CHECK-NEXT: return
func.func @plain(%x: tensor<?x64xbf16>, %g: tensor<128x64xbf16>, %u: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  %gate = nn.linear %x, %g : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %up = nn.linear %x, %u : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %y = nn.swiglu %gate, %up : tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}
